-- How many raw events of a source are kept, the oldest's time, and when its first session began.
SELECT
    count() AS events,
    min(ts_ms) AS oldest_ms,
    (SELECT count() FROM sessions WHERE source = {source:String}) AS sessions,
    (SELECT min(started_ms) FROM sessions WHERE source = {source:String}) AS first_ms
FROM events
WHERE source = {source:String}
