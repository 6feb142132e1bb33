-- What was noted of events that were not folded in order.
SELECT event_id, visitor_id, flag FROM event_flags FINAL
WHERE source = {source:String} AND event_id IN {ids:Array(String)}
ORDER BY flag
