-- Letters that may name somebody: some of their bytes are one of the needles.
SELECT id, original, base64
FROM dead_letters
WHERE source IN ({source:String}, '')
    AND arrayExists(
        needle -> position(if(base64, tryBase64Decode(original), original), needle) > 0,
        {needles:Array(String)}
    )
