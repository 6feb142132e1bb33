-- A table's rows of all visitors in [first, before) as they stand; before = '': to the end.
-- No later version of a row changes its visitor: it may be chosen before versions are merged.
SELECT *
FROM $table FINAL
PREWHERE source = {source:String} AND visitor_id >= {first:String}
    AND ({before:String} = '' OR visitor_id < {before:String})
