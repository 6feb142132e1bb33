-- How many rows the active parts of a table hold, every version of each.
SELECT toInt64(sum(rows)) AS n
FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
