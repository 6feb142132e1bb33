-- Events of a range, newest first, by their own time or by when they arrived. An empty filter asks
-- for nothing.
WITH if({by:String} = 'received', received_ms, ts_ms) AS moment,
    concat(event_id, '\x1f', address) AS known_by
SELECT body, moment, known_by, event_id
FROM events FINAL
WHERE source = {source:String}
  AND moment >= {from_ms:Int64} AND moment < {to_ms:Int64}
  AND ({place_id:String} = '' OR (moment, known_by) < ({place_ms:Int64}, {place_id:String}))
  AND (empty({types:Array(String)}) OR type IN {types:Array(String)})
  AND ({name:String} = '' OR name = {name:String})
  AND ({event_id:String} = '' OR event_id = {event_id:String})
  AND ({visitor_id:String} = '' OR address = {visitor_id:String} OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String})
  AND ({cart_id:String} = '' OR cart_id = {cart_id:String})
  AND ({order_id:String} = '' OR order_id = {order_id:String})
  AND ({path:String} = '' OR path = {path:String})
  AND ({product:String} = '' OR has(product_ids, {product:String}))
  AND ({q:String} = '' OR positionCaseInsensitiveUTF8(body, {q:String}) > 0)
  AND ({include_bots:Bool} OR NOT (bot OR excluded))
ORDER BY moment DESC, known_by DESC
LIMIT {limit:UInt32}
