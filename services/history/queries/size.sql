-- How many events a source has, repeats included.
SELECT count() AS events
FROM events
WHERE source = {source:String}
