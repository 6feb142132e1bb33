-- The canonical events of one hash shard of all addresses.
SELECT body
FROM events FINAL
WHERE source = {source:String} AND cityHash64(address) % {shards:UInt32} = {shard:UInt32}
