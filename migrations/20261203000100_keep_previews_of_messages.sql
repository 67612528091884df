-- What lists show of what a message says: the beginning of its text. Kept beside it, since its fields may hold a MiB and a
-- list has fifty messages; it goes with them. How a text is read is not known here, and to read all that came before anew
-- would write the whole table once more: of that it is empty until a message is run again, and lists show of it what they
-- did.

-- Whoever reads or writes messages waits behind this one, which waits for whoever reads them for long, as a backup does.
SET LOCAL lock_timeout = '1s';

ALTER TABLE emails ADD COLUMN preview text NOT NULL DEFAULT '';
