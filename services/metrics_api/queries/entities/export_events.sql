-- All events of a visitor (folded at it, or naming it), or of a user.
SELECT body FROM events FINAL
WHERE source = {source:String}
  AND ({visitor_id:String} = '' OR address = {visitor_id:String} OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String} OR address = concat('user:', {user_id:String}))
ORDER BY ts_ms, event_id
