-- Marks the seals of the buckets that hold one of the (sorted) instants. The version is far above
-- any that a seal job now at work will write, so that such a seal does not count as clean.
INSERT INTO seals (source, fact, tz, bucket_ms, end_ms, version, dirty)
SELECT
    source,
    fact,
    tz,
    bucket_ms,
    end_ms,
    (SELECT max(version) FROM seals WHERE source = {source:String}) + {ahead:UInt64},
    true
FROM seals FINAL
WHERE source = {source:String}
    AND fact IN {facts:Array(String)}
    AND (fact != 'events' OR bucket_ms >= {floor:Int64})
    AND roundDown(end_ms - 1, {instants:Array(Int64)}) >= bucket_ms
    AND roundDown(end_ms - 1, {instants:Array(Int64)}) < end_ms
