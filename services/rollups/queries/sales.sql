-- One row an order, at its time; a provisional one counts in no money.
SELECT
    head_at_ms AS t,
    head_currency AS currency,
    whose_channel AS channel,
    whose_first_channel AS first_channel,
    whose_device AS device,
    whose_browser AS browser,
    whose_os AS os,
    whose_country AS country,
    whose_utm_source AS utm_source,
    whose_utm_medium AS utm_medium,
    whose_utm_campaign AS utm_campaign,
    if(whose_past_buyer, 'returning', 'new') AS customer_type,
    toInt64(1) AS orders,
    head_value AS revenue
FROM ($orders)
WHERE NOT provisional AND ({bots:UInt8} OR NOT whose_hidden)
