-- Refused items by when they came, the newest first.
SELECT *
FROM dead_letters FINAL
WHERE source IN {sources:Array(String)}
  AND received_ms >= {from_ms:Int64} AND received_ms < {to_ms:Int64}
ORDER BY received_ms DESC, id
LIMIT {limit:UInt32}
