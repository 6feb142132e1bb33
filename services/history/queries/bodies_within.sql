-- The canonical events of all addresses in [first, before); before = '': to the end.
SELECT body
FROM events FINAL
WHERE source = {source:String} AND address >= {first:String}
    AND ({before:String} = '' OR address < {before:String})
