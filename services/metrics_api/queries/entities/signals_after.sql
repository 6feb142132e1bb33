-- Every statement of a signal after a version, in the order they were made. Without FINAL: a stream
-- tells each statement, and one that is overtaken before it was read is told by the newer one.
SELECT * FROM signals
WHERE source = {source:String} AND NOT deleted
  AND (version > {after:UInt64} OR (version = {after:UInt64} AND {after_id:String} != ''
      AND signal_id > toUUIDOrZero({after_id:String})))
ORDER BY version, signal_id
LIMIT 1 BY version, signal_id
LIMIT {limit:UInt32}
