-- Orders of others that could reach a visitor over a cart, user or order id it has named.
SELECT body FROM events FINAL
WHERE source = {source:String} AND type = 'purchase' AND address != {address:String}
  AND (has({cart_ids:Array(String)}, cart_id) OR has({user_ids:Array(String)}, user_id)
       OR has({order_ids:Array(String)}, order_id))
ORDER BY ts_ms, event_id
LIMIT {limit:UInt32}
