-- Who has an event in a time range: [from, to), epoch milliseconds.
SELECT DISTINCT address
FROM events FINAL
WHERE source = {source:String} AND ts_ms >= {from_ms:Int64} AND ts_ms < {to_ms:Int64}
