-- Addresses that share one of some cart, user or order ids with another address (``linked.sql``).
-- Older versions of a row count too: to fold more addresses together than need be harms nothing.
SELECT groupUniqArray(address) AS addresses
FROM
(
    SELECT
        address,
        arrayJoin(arrayConcat($aliases, if(visitor_id = '', [address], []))) AS alias
    FROM events
    WHERE source = {source:String} AND (
        user_id IN {users:Array(String)}
        OR cart_id IN {carts:Array(String)}
        OR order_id IN {orders:Array(String)}
    )
)
GROUP BY alias
HAVING length(addresses) > 1
