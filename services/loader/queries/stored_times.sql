SELECT DISTINCT arrayJoin($times) AS at_ms
FROM $table
WHERE source = {source:String} AND $id IN (SELECT toUUID(arrayJoin({ids:Array(String)})))
