SELECT DISTINCT arrayJoin($times) AS at_ms FROM $table WHERE $whose
