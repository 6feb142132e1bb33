-- The sessions that have an order, among the orders near the time asked for.
SELECT toUUIDOrZero(whose_session_id) FROM ($orders) WHERE whose_session_id != ''
