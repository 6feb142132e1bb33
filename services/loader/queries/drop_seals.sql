ALTER TABLE $seals DELETE WHERE bucket_ms < {before:Int64} SETTINGS mutations_sync = 2
