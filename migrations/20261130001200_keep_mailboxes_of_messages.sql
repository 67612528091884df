-- Likewise, a message keeps the id of a mailbox that is deleted. Nothing shows it; the worker that deletes old messages
-- asks whether there is still one of that id.

-- Whoever reads or writes messages waits behind this one, which waits for whoever reads mailboxes.
SET LOCAL lock_timeout = '1s';

ALTER TABLE emails DROP CONSTRAINT IF EXISTS fk_eivs_emails_mailbox;
