-- Addresses that cut a source's events into runs of about so many, repeats included.
SELECT address
FROM
(
    SELECT address, row_number() OVER (ORDER BY address) AS place
    FROM events
    WHERE source = {source:String}
)
WHERE place % {events:UInt32} = 0
