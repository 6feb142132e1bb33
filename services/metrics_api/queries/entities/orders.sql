-- Orders, newest first: of the copies of one order_id the one with the least (time, event id),
-- provisional ones only while there is no other; its visitor and session those of the copy that
-- names its visitor, else the one with a cart, else with a session (of two alike, a visitor's before
-- an alias's: what order storage reads rows in decides nothing). Refunds are capped at the order's
-- value; one without a value is all of it. An empty filter asks for nothing.
WITH
chosen AS (
    SELECT DISTINCT order_id FROM orders
    WHERE source = {source:String} AND kind = 'order'
      AND at_ms >= {from_ms:Int64} AND at_ms < {to_ms:Int64}
      AND ({order_id:String} = '' OR order_id = {order_id:String})
      AND ({visitor_id:String} = '' OR visitor_id = {visitor_id:String})
      AND ({user_id:String} = '' OR user_id = {user_id:String})
      AND ({cart_id:String} = '' OR cart_id = {cart_id:String})
      AND (empty({session_ids:Array(String)}) OR session_id IN {session_ids:Array(String)})
),
whole AS (
    SELECT
        order_id AS id,
        argMin((at_ms, event_id), (provisional, at_ms, event_id)) AS first,
        argMin((value, shipping, tax, discount, currency, lines, payment_method, policy_version),
            (provisional, at_ms, event_id)) AS told,
        argMin((visitor_id, user_id, session_id, cart_id),
            (NOT named, cart_id = '', session_id = '', at_ms, event_id,
            match(visitor_id, '^(cart|user|order):'), visitor_id)) AS owner,
        min(provisional) AS unsure,
        max(bot OR excluded) AS machine
    FROM orders FINAL
    WHERE source = {source:String} AND kind = 'order' AND order_id IN chosen
    GROUP BY order_id
),
back AS (
    SELECT
        order_id AS id,
        sumIf(value, kind = 'refund') AS refunds,
        countIf(kind = 'refund' AND value IS NULL) > 0 AS refunded_whole,
        minOrNullIf(at_ms, kind = 'cancel') AS cancelled_ms
    FROM (
        SELECT * FROM orders FINAL
        WHERE source = {source:String} AND kind IN ('refund', 'cancel') AND order_id IN chosen
        LIMIT 1 BY order_id, event_id
    )
    GROUP BY order_id
)
SELECT
    whole.id AS order_id,
    {source:String} AS source,
    owner.1 AS visitor_id, owner.2 AS user_id, first.2 AS event_id,
    owner.3 AS session_id, owner.4 AS cart_id, first.1 AS at_ms,
    told.1 AS value, told.2 AS shipping, told.3 AS tax, told.4 AS discount,
    told.5 AS currency, told.6 AS lines, told.7 AS payment_method, told.8 AS policy_version,
    least(if(back.refunded_whole, coalesce(told.1, 0), coalesce(back.refunds, 0)),
        coalesce(told.1, 0)) AS refunded,
    back.cancelled_ms AS cancelled_ms,
    unsure AS provisional
FROM whole LEFT JOIN back ON whole.id = back.id
WHERE first.1 >= {from_ms:Int64} AND first.1 < {to_ms:Int64}
  AND ({place_id:String} = '' OR (first.1, whole.id) < ({place_ms:Int64}, {place_id:String}))
  AND ({visitor_id:String} = '' OR owner.1 = {visitor_id:String})
  AND ({user_id:String} = '' OR owner.2 = {user_id:String})
  AND ({cart_id:String} = '' OR owner.4 = {cart_id:String})
  AND (empty({session_ids:Array(String)}) OR owner.3 IN {session_ids:Array(String)})
  AND ({include_bots:Bool} OR NOT machine)
ORDER BY first.1 DESC, whole.id DESC
LIMIT {limit:UInt32}
