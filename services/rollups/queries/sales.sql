-- One row an order, at its time; a provisional one counts in no money.
SELECT
    head_at_ms AS t,
    head_currency AS currency,
    $whose,
    toInt64(1) AS orders,
    head_value AS revenue
FROM ($orders)
WHERE NOT provisional AND ({bots:UInt8} OR NOT whose_hidden)
