ALTER TABLE $rollup DELETE WHERE t < {before:Int64} SETTINGS mutations_sync = 2
