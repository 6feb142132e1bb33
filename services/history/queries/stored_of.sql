-- A table's rows of some visitors as they stand.
-- No later version of a row changes its visitor: it may be chosen before versions are merged.
SELECT *
FROM $table FINAL
PREWHERE source = {source:String} AND visitor_id IN {addresses:Array(String)}
