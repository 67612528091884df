-- Which sign-in links were printed by a start, for the first administrator: they end once an administrator has another way in.
-- One that somebody asked for by `admin sign-in-link` does not. Servers of before know none of the first kind.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE sign_in_links ADD COLUMN is_of_start boolean NOT NULL DEFAULT false;

-- The installation's figures count the mailboxes that fail, and name none.
CREATE POLICY by_worker ON mailbox_heartbeats FOR SELECT USING (current_setting('app.worker', true) = 'on');
