-- One row an order with its place among its buyer's orders of all times. A buyer is a user, else a
-- visitor with a lasting id; an order of neither is `fleeting`.
SELECT
    head.at_ms AS t,
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
    nullIf(who, '') AS buyer,
    if(place >= 2, buyer, NULL) AS again,
    toInt64(who != '' AND next_ms > 0) AS followed,
    toInt64(who != '' AND next_ms = 0) AS awaiting,
    toInt64(who = '') AS fleeting,
    followed * (next_ms - head.at_ms) AS gap,
    if(followed = 1, gap, NULL) AS gaps
FROM
(
    SELECT
        head,
        whose,
        multiIf(whose.user_id != '', concat('user:', whose.user_id), whose.lasting, whose.visitor_id, '') AS who,
        row_number() OVER (PARTITION BY who ORDER BY head.at_ms, order_id ROWS UNBOUNDED PRECEDING) AS place,
        leadInFrame(head.at_ms) OVER (PARTITION BY who ORDER BY head.at_ms, order_id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_ms
    FROM ($orders)
    WHERE NOT provisional AND ({bots:UInt8} OR NOT whose.hidden)
)
