-- When a visitor's next session began, nothing where there is none.
SELECT started_ms FROM sessions FINAL
WHERE source = {source:String} AND visitor_id = {visitor_id:String} AND started_ms > {after_ms:Int64}
ORDER BY started_ms LIMIT 1
