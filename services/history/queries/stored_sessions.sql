-- The rows of some visitors as they stand.
SELECT *
FROM sessions FINAL
WHERE source = {source:String} AND visitor_id IN {addresses:Array(String)}
