-- Refused items by when they came, newest first. An empty filter asks for nothing.
SELECT * FROM dead_letters FINAL
WHERE source IN {sources:Array(String)}
  AND received_ms >= {from_ms:Int64} AND received_ms < {to_ms:Int64}
  AND ({place_id:String} = '' OR (received_ms, id) < ({place_ms:Int64}, {place_id:String}))
  AND ({code:String} = '' OR code = {code:String})
  AND ({field:String} = '' OR field = {field:String})
ORDER BY received_ms DESC, id DESC
LIMIT {limit:UInt32}
