-- One row an order (DESIGN, Rules: Orders). `head` says what it is: its copy with the least time and
-- event id, provisional ones only while there is no other. `whose` says who ordered: the copy that
-- names its visitor, else the one with a cart, else with a session. All copies of the orders that
-- have any row near the time asked for are looked at.
SELECT
    order_id,
    min(copy.provisional) AS provisional,
    argMin(
        tuple(at_ms, ifNull(value, 0), currency, lines)::Tuple(at_ms Int64, value Int64, currency String, lines Array(Tuple(product_id String, name String, category String, price Nullable(Int64), quantity Int64, url String, image_url String))),
        tuple(copy.provisional, at_ms, event_id)
    ) AS head,
    argMin(
        tuple(visitor_id, user_id, session_id, channel, first_channel, device, browser, os, country, utm_source, utm_medium, utm_campaign, lasting, past_buyer, bot OR test OR excluded)
        ::Tuple(visitor_id String, user_id String, session_id String, channel String, first_channel String, device String, browser String, os String, country String, utm_source String, utm_medium String, utm_campaign String, lasting Bool, past_buyer Bool, hidden Bool),
        tuple(NOT named, cart_id = '', session_id = '', at_ms, event_id)
    ) AS whose
FROM orders AS copy FINAL
WHERE source = {source:String}
    AND kind = 'order'
    AND order_id IN (SELECT order_id FROM orders WHERE source = {source:String} AND $kinds AND ($ordered))
GROUP BY order_id
