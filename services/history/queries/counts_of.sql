-- About how many events some addresses have.
SELECT address, count() AS events
FROM events
WHERE source = {source:String} AND address IN {addresses:Array(String)}
GROUP BY address
