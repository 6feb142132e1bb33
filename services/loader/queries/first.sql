SELECT min($anchor) AS first, count() AS n
FROM $table
WHERE source = {source:String}
