-- Carts that opened in a range, newest first. An empty filter asks for nothing.
SELECT *
FROM carts FINAL
WHERE source = {source:String}
  AND opened_ms >= {from_ms:Int64} AND opened_ms < {to_ms:Int64}
  AND ({place_id:String} = '' OR (opened_ms, cart_id) < ({place_ms:Int64}, toUUIDOrZero({place_id:String})))
  AND ({visitor_id:String} = '' OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String})
  AND ({client_cart_id:String} = '' OR client_cart_id = {client_cart_id:String})
  AND ({order_id:String} = '' OR order_id = {order_id:String})
  AND ({outcome:String} = '' OR outcome = {outcome:String})
  AND ({checkout_step:String} = '' OR checkout_step = {checkout_step:String})
  AND ({friction:String} = '' OR has(friction, {friction:String}))
  AND ({product:String} = '' OR has(lines.product_id, {product:String}))
  AND ({include_bots:Bool} OR NOT (bot OR excluded))
ORDER BY opened_ms DESC, cart_id DESC
LIMIT {limit:UInt32}
