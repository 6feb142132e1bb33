-- Visitors whose rows differ from what all their events would give (late events, late orders).
SELECT DISTINCT visitor_id AS address
FROM event_flags FINAL
WHERE source = {source:String}
