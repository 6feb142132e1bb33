SELECT DISTINCT table AS name FROM system.parts
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND NOT active
