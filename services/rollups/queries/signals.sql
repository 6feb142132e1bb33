-- One row a signal that stands, at its time.
SELECT
    at_ms AS t,
    kind,
    stage,
    channel,
    first_channel,
    device,
    browser,
    os,
    country,
    utm_source,
    utm_medium,
    utm_campaign,
    if(past_buyer, 'returning', 'new') AS customer_type,
    toInt64(1) AS signals
FROM signals FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND NOT retracted
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
