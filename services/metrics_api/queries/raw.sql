SELECT roundDown(t, {edges:Array(Int64)}) AS bucket, $groups $summed
FROM ($facts)
WHERE ($ranges) AND $filters
GROUP BY bucket $group_by
