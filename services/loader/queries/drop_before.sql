ALTER TABLE $table DELETE WHERE source = {source:String} AND $column < {before:Int64} SETTINGS mutations_sync = 2
