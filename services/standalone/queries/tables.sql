-- Every table of storage that holds rows of its own, and where on disk.
SELECT name, toString(uuid) AS uuid, data_paths[1] AS path
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
ORDER BY name
