-- One row a checkout step that a cart episode reached.
SELECT
    * EXCEPT (checkout_step, checkouts_abandoned),
    arrayJoin(checkout_steps) AS checkout_step,
    cart.checkouts_abandoned * (cart.checkout_step = checkout_step) AS checkouts_abandoned
FROM ($carts) AS cart
