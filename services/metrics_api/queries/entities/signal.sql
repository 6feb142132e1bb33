-- One signal by its id, among the sources the caller may see.
SELECT * FROM signals FINAL
WHERE source IN {sources:Array(String)} AND signal_id = toUUIDOrZero({id:String})
LIMIT 1
