-- A person who has left is kept, for what they did names them, and nothing lets them in any more: their account is
-- closed. NULL, as of all that there are, is open. Servers of before do not ask for it: closing ends every way in, too.

-- Whoever signs in would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE users ADD COLUMN closed_at timestamptz;
