-- All orders of the persons (visitors, users) of the orders that have any row near the time asked for.
-- Found by hashes, which are compared faster than texts: an order more is one of no such buyer, and
-- changes nothing.
cityHash64(order_id) IN
(
    SELECT cityHash64(order_id)
    FROM orders ARRAY JOIN if(user_id = '', [visitor_id], [visitor_id, user_id]) AS person
    WHERE source = {source:String} AND kind = 'order' AND cityHash64(person) IN
    (
        SELECT cityHash64(person)
        FROM orders ARRAY JOIN if(user_id = '', [visitor_id], [visitor_id, user_id]) AS person
        WHERE source = {source:String} AND kind = 'order' AND cityHash64(order_id) IN
        (
            SELECT cityHash64(order_id) FROM orders WHERE source = {source:String} AND kind = 'order' AND ($ordered)
        )
    )
)
