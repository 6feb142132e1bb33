-- Signals of a range of event time, newest first. An empty filter asks for nothing.
SELECT *
FROM signals FINAL
WHERE source = {source:String}
  AND at_ms >= {from_ms:Int64} AND at_ms < {to_ms:Int64}
  AND ({place_id:String} = '' OR (at_ms, signal_id) < ({place_ms:Int64}, toUUIDOrZero({place_id:String})))
  AND (empty({kinds:Array(String)}) OR kind IN {kinds:Array(String)})
  AND ({visitor_id:String} = '' OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String})
  AND ({session_id:String} = '' OR session_id = {session_id:String})
  AND ({cart_id:String} = '' OR cart_id = {cart_id:String})
  AND ({stage:String} = '' OR stage = {stage:String})
  AND ({retracted:String} = '' OR retracted = ({retracted:String} = 'true'))
  AND ({include_bots:Bool} OR NOT (bot OR excluded))
ORDER BY at_ms DESC, signal_id DESC
LIMIT {limit:UInt32}
