-- One row a refund or cancel, at its own time. What is given back is capped, in time order, at the
-- order's value; a cancel, or a refund that names no amount, gives all the rest. A refund in another
-- currency than the order's, or of an order that is not known, gives nothing.
SELECT
    kept.at_ms AS t,
    head.currency AS currency,
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
    least(head.value, given) - least(head.value, given - amount) AS refunds,
    toInt64(kept.kind = 'cancel' AND nth = 1) AS cancels
FROM
(
    SELECT
        kept,
        head,
        whose,
        if(kept.currency IN ('', head.currency) OR kept.all, kept.value, 0) AS amount,
        sum(amount) OVER (PARTITION BY order_id ORDER BY kept.at_ms, event_id ROWS UNBOUNDED PRECEDING) AS given,
        row_number() OVER (PARTITION BY order_id, kept.kind ORDER BY kept.at_ms, event_id) AS nth
    FROM
    (
        SELECT
            order_id,
            event_id,
            argMin(
                tuple(back.at_ms, back.kind, least(greatest(ifNull(back.value, 1000000000000), 0), 1000000000000), back.currency, back.value IS NULL)
                ::Tuple(at_ms Int64, kind String, value Int64, currency String, all Bool),
                tuple(back.at_ms, back.visitor_id)
            ) AS kept
        FROM orders AS back FINAL
        WHERE back.source = {source:String}
            AND back.kind IN ('refund', 'cancel')
            AND order_id IN (SELECT order_id FROM orders WHERE source = {source:String} AND kind != 'order' AND ($ordered))
        GROUP BY order_id, event_id
    ) AS given_back
    INNER JOIN ($refunded) AS ordered ON ordered.order_id = given_back.order_id
    WHERE NOT ordered.provisional AND ({bots:UInt8} OR NOT ordered.whose.hidden)
)
