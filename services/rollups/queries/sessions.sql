-- One row a session, at its start: its dimensions, and what it adds to each sum.
SELECT
    started_ms AS t,
    utm_term,
    utm_content,
    entry_path,
    exit_path,
    furthest_stage AS stage,
    $visit,
    arrayDistinct(pages.page_kind) AS page_kinds,
    arrayDistinct(arrayFilter(name -> name != '', pages.category)) AS categories,
    arrayDistinct(pages.path) AS paths,
    toInt64(1) AS sessions,
    toInt64(open) AS undecided,
    toInt64(page_views) AS views,
    toInt64(NOT open) AS closed,
    closed * views AS closed_views,
    closed * ifNull(duration_ms, 0) AS duration,
    toInt64(NOT open AND page_views > 0) AS viewed,
    viewed * ifNull(bounced, 0) AS bounces,
    viewed * ifNull(engaged, 0) AS engagements,
    transform(furthest_stage, ['discovery', 'interest', 'intent', 'purchase'], [1, 2, 3, 4], 0) AS rank,
    toInt64(rank >= 1) AS discovery,
    toInt64(rank >= 2) AS interest,
    toInt64(rank >= 3) AS intent,
    toInt64(rank >= 4) AS purchase,
    toInt64(post_purchase) AS engagement,
    closed * has(friction, 'support_sought') AS supported,
    toInt64(session_id IN ($ordering_sessions)) AS converted
FROM sessions FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
