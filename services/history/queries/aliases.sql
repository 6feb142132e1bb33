-- The aliases that an event names, whoever it is of: the list of ``aliases_of`` in
-- services/sessionizer/core/links.py.
arrayConcat(
    if(cart_id = '', [], [concat('cart:', cart_id)]),
    if(user_id = '', [], [concat('user:', user_id)]),
    if(order_id = '', [], [concat('order:', order_id)])
)
