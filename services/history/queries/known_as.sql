-- By which carts, users and orders the events of some visitors may be linked.
SELECT DISTINCT
    address,
    arrayJoin($aliases) AS alias
FROM events
WHERE source = {source:String} AND address IN {addresses:Array(String)}
