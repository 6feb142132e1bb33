-- The times at which orders are already counted: their rows, and the sessions that made them.
WITH
    stored AS
    (
        SELECT at_ms, session_id
        FROM orders
        WHERE source = {source:String} AND order_id IN {orders:Array(String)}
    )
SELECT at_ms FROM stored
UNION DISTINCT
SELECT arrayJoin([started_ms, ended_ms]) AS at_ms
FROM sessions
WHERE source = {source:String}
    AND started_ms >= least({from_ms:Int64}, (SELECT if(count() = 0, {from_ms:Int64}, min(at_ms) - 259200000) FROM stored))
    AND session_id IN
    (
        SELECT toUUIDOrZero(arrayJoin({sessions:Array(String)}))
        UNION DISTINCT
        SELECT toUUIDOrZero(session_id) FROM stored
    )
