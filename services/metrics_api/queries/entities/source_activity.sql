-- How much each source has sent and when it was last heard of.
SELECT source, count() AS events, max(received_ms) AS last_received_ms FROM events GROUP BY source
