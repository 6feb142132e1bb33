-- The newest statement of any signal that storage holds.
SELECT max(version) AS version FROM signals
