-- Sources that have any event stored.
SELECT DISTINCT source FROM events
