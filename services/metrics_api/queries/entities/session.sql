-- One session by its id, among the sources the caller may see.
SELECT * FROM sessions FINAL
WHERE source IN {sources:Array(String)} AND session_id = toUUIDOrZero({id:String})
LIMIT 1
