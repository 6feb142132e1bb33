-- One row a stretch of time in which a session was active, from its first to its last active event.
-- `cuts` are the edges of the buckets (and of the stretches read raw): a session that spans one
-- stands on both sides of it. The first cut is 0, before all time.
SELECT
    roundDown(started_ms, {cuts:Array(Int64)}) = roundDown(ended_ms, {cuts:Array(Int64)}) AS alone,
    arrayFilter(cut -> cut > started_ms AND cut <= ended_ms, {cuts:Array(Int64)}) AS crossed,
    arrayJoin(if(alone, [started_ms], arrayConcat([started_ms], crossed))) AS t,
    $visit,
    visitor_id AS visitor
FROM sessions FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
