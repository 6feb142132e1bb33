-- The marks of some visitors as they stand.
SELECT *
FROM event_flags FINAL
WHERE source = {source:String} AND visitor_id IN {addresses:Array(String)}
