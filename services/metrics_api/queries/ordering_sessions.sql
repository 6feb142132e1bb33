-- The sessions that have an order, among the orders near the time asked for.
SELECT toUUIDOrZero(whose.session_id) FROM ($orders) WHERE whose.session_id != ''
