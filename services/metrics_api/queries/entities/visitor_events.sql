-- Events folded at one address within a range, in the order they happened.
SELECT body, ts_ms FROM events FINAL
WHERE source = {source:String} AND address = {address:String}
  AND ts_ms >= {from_ms:Int64} AND ts_ms <= {to_ms:Int64}
ORDER BY ts_ms, event_id
LIMIT {limit:UInt32}
