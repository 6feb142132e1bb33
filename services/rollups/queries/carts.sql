-- One row a cart episode, at the last activity before its first resolution; an unresolved one stands
-- at its last activity so far, undecided.
SELECT
    ifNull(bucket_ms, last_activity_ms) AS t,
    currency,
    checkout_step,
    checkout_steps,
    $visit,
    arrayDistinct(arrayFilter(name -> name != '', lines.category)) AS categories,
    friction,
    causes,
    toInt64(bucket_ms IS NULL) AS undecided,
    toInt64(bucket_ms IS NULL OR outcome = 'abandoned') AS unrecovered,
    toInt64(bucket_ms IS NOT NULL) AS carts,
    toInt64(abandoned_ms IS NOT NULL OR outcome = 'converted') AS resolved,
    toInt64(abandoned_ms IS NOT NULL) AS abandoned,
    toInt64(outcome = 'recovered') AS recovered,
    abandoned - recovered AS net,
    toInt64(checkout_started AND bucket_ms IS NULL) AS checkouts_undecided,
    checkout_started * resolved AS checkouts,
    checkout_started * abandoned AS checkouts_abandoned,
    ifNull(cart.abandoned_value, 0) AS abandoned_value,
    recovered * abandoned_value AS recovered_value
FROM carts AS cart FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
