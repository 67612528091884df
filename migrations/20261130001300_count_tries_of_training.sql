-- How often a training of the same examples was begun, and of which: one that breaks each server that takes it up, as for
-- want of memory, is left alone until they change. Servers of before do not count.

-- Whoever changes examples would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE classifier_settings
    ADD COLUMN tried_revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN tries integer NOT NULL DEFAULT 0;
