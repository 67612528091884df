-- The messages of a folder that were read last, each with its UID and when its server got it: where another one has that UID,
-- the server was put back to what it was before, and UIDs that were read past are given once more. Servers of before let
-- them stay, so they say whose UIDs they have: {"uid_validity": 7, "read": [[uid, seconds since 1970], …]}.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE mailbox_heartbeats ADD COLUMN landmarks jsonb NOT NULL DEFAULT '{}';
