-- One row a refund or cancel, at its own time. What is given back is capped, in time order, at the
-- order's value; a cancel, or a refund that names no amount, gives all the rest. A refund in another
-- currency than the order's, or of an order that is not known, gives nothing.
SELECT
    at_ms AS t,
    head_currency AS currency,
    $whose,
    least(head_value, given) - least(head_value, given - amount) AS refunds,
    toInt64(kind = 'cancel' AND nth = 1) AS cancels
FROM
(
    SELECT
        back.*,
        ordered.*,
        if(back.currency IN ('', head_currency) OR back.value IS NULL, least(greatest(ifNull(back.value, 1000000000000), 0), 1000000000000), 0) AS amount,
        sum(amount) OVER (PARTITION BY order_id ORDER BY at_ms, event_id ROWS UNBOUNDED PRECEDING) AS given,
        row_number() OVER (PARTITION BY order_id, kind ORDER BY at_ms, event_id) AS nth
    FROM
    (
        SELECT order_id, event_id, at_ms, kind, value, currency
        FROM orders FINAL
        WHERE source = {source:String} AND kind != 'order' AND $picked
        ORDER BY order_id, event_id, at_ms, visitor_id
        LIMIT 1 BY order_id, event_id
    ) AS back
    INNER JOIN ($refunded) AS ordered ON ordered.order_id = back.order_id
    WHERE NOT provisional AND ({bots:UInt8} OR NOT whose_hidden)
)
