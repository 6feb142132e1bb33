-- One row a page of a session, at the session's start.
SELECT
    started_ms AS t,
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
    page.path AS path,
    page.page_kind AS page_kind,
    page.category AS category,
    toInt64(open) AS undecided,
    toInt64(1) AS views,
    toInt64(NOT open) AS closed_views,
    toInt64(NOT open AND place = length(pages)) AS exits,
    toInt64(NOT open AND page.time_ms IS NOT NULL) AS timed,
    timed * ifNull(page.time_ms, 0) AS time_ms,
    if(open, NULL, page.time_ms) AS timed_ms
FROM sessions FINAL
ARRAY JOIN pages AS page, arrayEnumerate(pages) AS place
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
