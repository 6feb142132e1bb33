source NOT IN (SELECT source FROM imports FINAL WHERE seen > now() - INTERVAL 1 DAY)
