SELECT count() AS n FROM $table FINAL WHERE $whose
