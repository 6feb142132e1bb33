-- One row a page of a session, at the session's start.
SELECT
    started_ms AS t,
    $visit,
    path,
    page_kind,
    category,
    toInt64(open) AS undecided,
    toInt64(1) AS views,
    toInt64(NOT open) AS closed_views,
    toInt64(NOT open AND place = length(pages.at_ms)) AS exits,
    toInt64(NOT open AND spent_ms IS NOT NULL) AS timed,
    timed * ifNull(spent_ms, 0) AS time_ms,
    if(open, NULL, spent_ms) AS timed_ms
FROM sessions FINAL
ARRAY JOIN
    pages.path AS path,
    pages.page_kind AS page_kind,
    pages.category AS category,
    pages.time_ms AS spent_ms,
    arrayEnumerate(pages.at_ms) AS place
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
