-- Sums by bucket and group: what is sealed from the roll-up, what is open or dirty from the rows.
-- The two tiers never overlap: a sealed bucket counts only with the version its seal names.
SELECT bucket, $groups $merged
FROM
(
    $tiers
)
GROUP BY bucket $group_by
