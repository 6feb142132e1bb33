-- The canonical events of some addresses.
SELECT body
FROM events FINAL
WHERE source = {source:String} AND address IN {addresses:Array(String)}
