SELECT count() AS n FROM $table FINAL WHERE source = {source:String} AND ($whose)
