-- What storage knows of a visitor: how far it ever went and when it was last seen.
SELECT
    count() AS sessions,
    max(ended_ms) AS last_event_ms,
    groupUniqArray(furthest_stage) AS stages
FROM sessions FINAL
WHERE source = {source:String} AND visitor_id = {visitor_id:String}
