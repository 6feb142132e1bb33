-- By which carts, users and orders the events of some visitors may be linked.
SELECT DISTINCT
    address,
    arrayJoin(arrayConcat(
        if(cart_id = '', [], [concat('cart:', cart_id)]),
        if(user_id = '', [], [concat('user:', user_id)]),
        if(order_id = '', [], [concat('order:', order_id)])
    )) AS alias
FROM events
WHERE source = {source:String} AND address IN {addresses:Array(String)}
