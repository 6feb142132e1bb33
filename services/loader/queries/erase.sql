ALTER TABLE $table DELETE WHERE source = {source:String} AND ($whose) SETTINGS mutations_sync = 2
