-- One row a kind of friction that a cart episode met; `named`: it stands among the causes.
SELECT
    *,
    arrayJoin(friction) AS cause,
    abandoned * has(causes, cause) AS named
FROM ($carts)
