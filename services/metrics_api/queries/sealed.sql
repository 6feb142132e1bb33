SELECT roundDown(t, {edges:Array(Int64)}) AS bucket, $groups $folded
FROM $rollup
WHERE source = {source:String}
    AND cube = {cube:String}
    AND ($sealed)
    AND (t, version) IN
    (
        SELECT bucket_ms, version
        FROM seals FINAL
        WHERE source = {source:String} AND fact = {fact:String} AND tz = {tz:String} AND NOT dirty
    )
    AND $filters
GROUP BY bucket $group_by
