-- The user, cart and order ids that the events of some addresses name.
SELECT
    groupUniqArrayIf(user_id, user_id != '') AS users,
    groupUniqArrayIf(cart_id, cart_id != '') AS carts,
    groupUniqArrayIf(order_id, order_id != '') AS orders
FROM events
WHERE source = {source:String} AND address IN {addresses:Array(String)}
