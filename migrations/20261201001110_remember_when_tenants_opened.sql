-- What waits in an inactive tenant is kept until that is opened again, and how long it waited there does not count: a
-- delivery's time would be over otherwise. NULL, as of all that there are, is never.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE tenants ADD COLUMN opened_at timestamptz;
