-- All carts of a visitor, or of a user.
SELECT * FROM carts FINAL
WHERE source = {source:String}
  AND ({visitor_id:String} = '' OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String})
ORDER BY opened_ms
