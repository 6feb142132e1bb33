-- How carts ended, by id: joined to the sessions that name them.
SELECT cart_id, outcome FROM carts FINAL
WHERE source = {source:String} AND cart_id IN {ids:Array(UUID)}
