-- One row an order, at its time; a provisional one counts in no money.
SELECT
    head.at_ms AS t,
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
    toInt64(1) AS orders,
    head.value AS revenue
FROM ($orders)
WHERE NOT provisional AND ({bots:UInt8} OR NOT whose.hidden)
