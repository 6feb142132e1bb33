-- One row an order with its place among its buyer's orders of all times. A buyer is a user, else a
-- visitor with a lasting id; an order of neither is `fleeting`.
SELECT
    head_at_ms AS t,
    $whose,
    nullIf(who, '') AS buyer,
    if(place >= 2, buyer, NULL) AS again,
    toInt64(who != '' AND next_ms > 0) AS followed,
    toInt64(who != '' AND next_ms = 0) AS awaiting,
    toInt64(who = '') AS fleeting,
    followed * (next_ms - head_at_ms) AS gap,
    if(followed = 1, gap, NULL) AS gaps
FROM
(
    SELECT
        *,
        multiIf(whose_user_id != '', concat('user:', whose_user_id), whose_lasting, whose_visitor_id, '') AS who,
        row_number() OVER (PARTITION BY who ORDER BY head_at_ms, order_id ROWS UNBOUNDED PRECEDING) AS place,
        leadInFrame(head_at_ms) OVER (PARTITION BY who ORDER BY head_at_ms, order_id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_ms
    FROM ($orders)
    WHERE NOT provisional AND ({bots:UInt8} OR NOT whose_hidden)
)
