SELECT max(version) AS newest FROM seals WHERE source = {source:String}
