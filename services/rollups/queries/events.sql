-- One row an event, at its time.
SELECT
    ts_ms AS t,
    type,
    origin,
    page_kind,
    path,
    category,
    channel,
    device,
    browser,
    os,
    country,
    toInt64(1) AS events
FROM events FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
