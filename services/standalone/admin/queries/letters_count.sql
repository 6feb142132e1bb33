-- How many refused items there are, and how many of them came since a time.
SELECT toInt64(count()) AS letters, toInt64(countIf(received_ms >= {since_ms:Int64})) AS newest
FROM dead_letters FINAL
