SELECT min(ts_ms) AS oldest FROM events WHERE source = {source:String}
