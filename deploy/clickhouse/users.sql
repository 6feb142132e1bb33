-- Users with least rights, to be run once by an administrator after `waymark migrate`. Set each
-- password (here a placeholder between angle brackets) to a random one; on a cluster add
-- ON CLUSTER 'name' after each user, profile and role. The database is called waymark here.

-- Owns the tables: `waymark migrate`. The administrator's own user will do as well.
CREATE USER IF NOT EXISTS waymark_owner IDENTIFIED WITH sha256_password BY '<owner-password>';
GRANT CREATE DATABASE, CREATE TABLE, ALTER TABLE, DROP TABLE, SELECT, INSERT ON waymark.* TO waymark_owner;

-- The loader brings rows in, seals and forgets with time.
CREATE USER IF NOT EXISTS waymark_loader IDENTIFIED WITH sha256_password BY '<loader-password>';
GRANT SELECT, INSERT, ALTER DELETE ON waymark.* TO waymark_loader;

-- The metrics API reads.
CREATE USER IF NOT EXISTS waymark_reader IDENTIFIED WITH sha256_password BY '<reader-password>';
GRANT SELECT ON waymark.* TO waymark_reader;

-- Erasure of a person (DELETE /v1/visitors/…): only where the metrics API is to do it. It names the
-- person in a passing table, never in the text of a mutation, which stays on disk.
CREATE USER IF NOT EXISTS waymark_eraser IDENTIFIED WITH sha256_password BY '<eraser-password>';
GRANT SELECT, INSERT, ALTER DELETE ON waymark.* TO waymark_eraser;
GRANT CREATE TABLE, DROP TABLE, INSERT ON waymark.erasing TO waymark_eraser;
GRANT SELECT ON system.parts TO waymark_eraser;

-- On a cluster, whoever changes rows in place does so on every node.
-- GRANT CLUSTER ON *.* TO waymark_owner, waymark_loader, waymark_eraser;
