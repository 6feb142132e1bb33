ALTER TABLE $table DELETE WHERE $whose SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1
