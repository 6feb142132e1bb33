-- Whether an import is under way is asked by the deletion itself, which touches only what stood
-- there when it was ordered: an import is marked before it stores anything.
ALTER TABLE $table DELETE WHERE source = {source:String} AND $column < {before:Int64}
    AND $unless_importing
SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1
