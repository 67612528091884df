-- Another has taken its place.
SET LOCAL lock_timeout = '5s';
DROP INDEX IF EXISTS ix_eivs_deliveries_replies;
