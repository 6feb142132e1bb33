-- Removes the files of parts that are no longer part of the table, at once: that is what dropping a
-- partition does besides, and there is none of this name.
ALTER TABLE $table DROP PARTITION ID 'none'
