-- Sessions that started in a range, newest first. An empty filter asks for nothing.
SELECT *
FROM sessions FINAL
WHERE source = {source:String}
  AND started_ms >= {from_ms:Int64} AND started_ms < {to_ms:Int64}
  AND ({place_id:String} = '' OR (started_ms, session_id) < ({place_ms:Int64}, toUUIDOrZero({place_id:String})))
  AND ({visitor_id:String} = '' OR visitor_id = {visitor_id:String})
  AND ({user_id:String} = '' OR user_id = {user_id:String})
  AND ({bounced:String} = '' OR bounced = ({bounced:String} = 'true'))
  AND ({stage:String} = '' OR has(reached, {stage:String}))
  AND ({friction:String} = '' OR has(friction, {friction:String}))
  AND ({channel:String} = '' OR channel = {channel:String})
  AND ({device:String} = '' OR device = {device:String})
  AND ({path:String} = '' OR has(pages.path, {path:String}))
  AND ({include_bots:Bool} OR NOT (bot OR excluded))
  AND ({cart_outcome:String} != 'none' OR cart_id = '')
  AND ({cart_outcome:String} IN ('', 'none') OR toUUIDOrZero(cart_id) IN (
      SELECT cart_id FROM carts FINAL
      WHERE {cart_outcome:String} NOT IN ('', 'none')
        AND source = {source:String} AND outcome = {cart_outcome:String}))
  -- dropped_at: furthest stage of a closed session without an order
  AND ({dropped_at:String} = '' OR (NOT open AND furthest_stage = {dropped_at:String}
      AND toString(session_id) NOT IN (
          SELECT session_id FROM orders FINAL
          WHERE {dropped_at:String} != '' AND source = {source:String} AND kind = 'order')))
  -- product: an event of the visitor, within the session, names it
  AND ({product:String} = '' OR session_id IN (
      SELECT visit.session_id
      FROM (SELECT session_id, visitor_id, started_ms, ended_ms FROM sessions FINAL
            WHERE {product:String} != '' AND source = {source:String}
              AND started_ms >= {from_ms:Int64} AND started_ms < {to_ms:Int64}) AS visit
      INNER JOIN (SELECT address, ts_ms FROM events
                  WHERE {product:String} != '' AND source = {source:String}
                    AND ts_ms >= {from_ms:Int64} AND has(product_ids, {product:String})) AS seen
          ON visit.visitor_id = seen.address
      WHERE seen.ts_ms BETWEEN visit.started_ms AND visit.ended_ms))
ORDER BY started_ms DESC, session_id DESC
LIMIT {limit:UInt32}
