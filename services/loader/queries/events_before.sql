SELECT count() AS n FROM events FINAL
WHERE source = {source:String} AND ts_ms < {before:Int64} AND $unless_importing
