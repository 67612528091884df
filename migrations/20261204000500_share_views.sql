-- A view of the messages may be everyone's of its tenant. Of those, each name stands once: a list of two that are called the same
-- would not say which is which. Servers of before go on showing each person their own.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE saved_filters ADD COLUMN is_shared boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX uq_eivs_saved_filters_shared ON saved_filters (tenant_id, name) WHERE is_shared;
