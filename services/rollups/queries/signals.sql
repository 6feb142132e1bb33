-- One row a signal that stands, at its time.
SELECT
    at_ms AS t,
    kind,
    stage,
    $visit,
    toInt64(1) AS signals
FROM signals FINAL
WHERE source = {source:String}
    AND ($anchored)
    AND NOT retracted
    AND ({bots:UInt8} OR NOT (bot OR test OR excluded))
