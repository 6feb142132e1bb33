-- The sealed and clean buckets of a stretch of time, told by the edges of each unbroken run.
SELECT bucket_ms, end_ms, before != bucket_ms AS starts, after != end_ms AS ends
FROM
(
    SELECT
        bucket_ms,
        end_ms,
        lagInFrame(end_ms) OVER (ORDER BY bucket_ms ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before,
        leadInFrame(bucket_ms) OVER (ORDER BY bucket_ms ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS after
    FROM seals FINAL
    WHERE source = {source:String}
        AND fact = {fact:String}
        AND tz = {tz:String}
        AND NOT dirty
        AND bucket_ms >= {from_ms:Int64}
        AND end_ms <= {to_ms:Int64}
)
WHERE starts OR ends
ORDER BY bucket_ms
