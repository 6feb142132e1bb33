-- One row an order at its time, and one a refund or cancel at its own. What is given back is capped,
-- in time order, at the order's value; a cancel, or a refund that names no amount, gives all the rest.
-- A refund in another currency than the order's, or of an order that is not known, counts nothing.
WITH ordered AS ($orders)
SELECT
    t,
    currency,
    whose.channel AS channel,
    whose.first_channel AS first_channel,
    whose.device AS device,
    whose.browser AS browser,
    whose.os AS os,
    whose.country AS country,
    whose.utm_source AS utm_source,
    whose.utm_medium AS utm_medium,
    whose.utm_campaign AS utm_campaign,
    if(whose.past_buyer, 'returning', 'new') AS customer_type,
    orders,
    revenue,
    refunds,
    revenue - refunds AS net,
    cancels
FROM
(
    SELECT
        head.at_ms AS t, head.currency AS currency, whose,
        toInt64(1) AS orders, head.value AS revenue, toInt64(0) AS refunds, toInt64(0) AS cancels
    FROM ordered
    WHERE NOT provisional
    UNION ALL
    SELECT
        back.at_ms AS t, ordered.head.currency AS currency, ordered.whose AS whose,
        toInt64(0) AS orders, toInt64(0) AS revenue,
        least(ordered.head.value, back.given) - least(ordered.head.value, back.given - back.amount) AS refunds,
        back.cancels AS cancels
    FROM
    (
        SELECT
            order_id,
            at_ms,
            kept.value AS amount,
            sum(amount) OVER (PARTITION BY order_id ORDER BY at_ms, event_id ROWS UNBOUNDED PRECEDING) AS given,
            toInt64(kind = 'cancel' AND row_number() OVER (PARTITION BY order_id, kind ORDER BY at_ms, event_id) = 1) AS cancels
        FROM
        (
            SELECT
                order_id,
                event_id,
                argMin(
                    tuple(at_ms, kind, least(greatest(ifNull(value, 1000000000000), 0), 1000000000000), currency)
                    ::Tuple(at_ms Int64, kind String, value Int64, currency String),
                    tuple(at_ms, visitor_id)
                ) AS kept,
                kept.at_ms AS at_ms,
                kept.kind AS kind
            FROM orders FINAL
            WHERE source = {source:String}
                AND kind IN ('refund', 'cancel')
                AND order_id IN (SELECT order_id FROM orders WHERE source = {source:String} AND ($ordered))
            GROUP BY order_id, event_id
        )
    ) AS back
    INNER JOIN ordered ON ordered.order_id = back.order_id
    WHERE NOT ordered.provisional
)
WHERE {bots:UInt8} OR NOT whose.hidden
