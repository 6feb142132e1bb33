SELECT * FROM $table FINAL WHERE source = {source:String} AND ($whose)
