-- Sums a fact over some buckets into its roll-up, once for each cube.
INSERT INTO $rollup (source, cube, t, d1, d2, d3, d4, version, $measures)
SELECT {source:String}, cube.1, bucket, cube.2, cube.3, cube.4, cube.5, {version:UInt64}, $summed
FROM
(
    SELECT roundDown(t, {edges:Array(Int64)}) AS bucket, arrayJoin($cubes) AS cube, $measures
    FROM ($facts)
    WHERE $ranges
)
GROUP BY bucket, cube
