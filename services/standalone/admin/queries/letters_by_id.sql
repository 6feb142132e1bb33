-- Refused items by their ids.
SELECT *
FROM dead_letters FINAL
WHERE id IN {ids:Array(String)}
ORDER BY received_ms, id
