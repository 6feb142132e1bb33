-- Whether storage answers at all.
SELECT 1 AS ready
