-- Users with least rights, to be made once by an administrator before anything starts. Set each
-- password (here a placeholder between angle brackets) to a random one; on a cluster add
-- ON CLUSTER 'name' after each user. The database is called waymark here. users.xml is the same for
-- a server whose users.d is at hand.

-- Owns the tables: `waymark migrate`, and the commands on history.
CREATE USER IF NOT EXISTS waymark_owner IDENTIFIED WITH sha256_password BY '<owner-password>';
GRANT CREATE DATABASE, CREATE TABLE, ALTER TABLE, DROP TABLE, SELECT, INSERT ON waymark.* TO waymark_owner;
GRANT SELECT ON system.parts TO waymark_owner;

-- The loader brings rows in, seals and forgets with time.
CREATE USER IF NOT EXISTS waymark_loader IDENTIFIED WITH sha256_password BY '<loader-password>';
GRANT SELECT, INSERT, ALTER DELETE ON waymark.* TO waymark_loader;

-- The metrics API reads (WAYMARK_CLICKHOUSE).
CREATE USER IF NOT EXISTS waymark_reader IDENTIFIED WITH sha256_password BY '<reader-password>';
GRANT SELECT ON waymark.* TO waymark_reader;

-- Erasure of a person (DELETE /v1/visitors/…) by the metrics API: WAYMARK_CLICKHOUSE_ERASER. It names
-- the person in a passing table, never in the text of a mutation, which stays on disk, and marks the
-- sums that change.
CREATE USER IF NOT EXISTS waymark_eraser IDENTIFIED WITH sha256_password BY '<eraser-password>';
GRANT SELECT, ALTER DELETE ON waymark.* TO waymark_eraser;
GRANT INSERT ON waymark.seals* TO waymark_eraser;
GRANT CREATE TABLE, DROP TABLE, INSERT ON waymark.erasing TO waymark_eraser;
GRANT SELECT ON system.parts TO waymark_eraser;

-- On a cluster, whoever makes tables or changes rows in place does so on every node.
-- GRANT CLUSTER ON *.* TO waymark_owner, waymark_loader, waymark_eraser;
