-- Addresses that share a cart, user or order id with another address: they must be folded together.
-- An event kept under its alias's own address (a webhook's order) counts as linked to that alias.
SELECT groupUniqArray(address) AS addresses
FROM
(
    SELECT
        address,
        arrayJoin($aliases) AS alias
    FROM events FINAL
    WHERE source = {source:String} AND NOT (cart_id = '' AND user_id = '' AND order_id = '')
    UNION ALL
    SELECT DISTINCT address, address AS alias
    FROM events FINAL
    WHERE source = {source:String} AND visitor_id = ''
)
GROUP BY alias
HAVING length(addresses) > 1
