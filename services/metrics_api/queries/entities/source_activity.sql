-- About how much each source has sent, and when it was last heard of. Without FINAL: that would read
-- the key of every event stored, only to tell a repeat that is not merged yet.
SELECT source, count() AS events, max(received_ms) AS last_received_ms FROM events GROUP BY source
