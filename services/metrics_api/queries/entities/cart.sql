-- One cart by its id, among the sources the caller may see.
SELECT * FROM carts FINAL
WHERE source IN {sources:Array(String)} AND cart_id = toUUIDOrZero({id:String})
LIMIT 1
