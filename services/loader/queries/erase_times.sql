SELECT DISTINCT arrayJoin($times) AS at_ms FROM $table WHERE source = {source:String} AND ($whose)
