-- Of messages with one text only the first correction was kept, and went with its message, whoever had corrected the others.
-- Each is kept now, and a text counts once all the same. What was not kept before is learned as it is corrected again.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE intent_examples DROP CONSTRAINT uq_eivs_intent_examples_text;
-- By its old name, which servers of before know it by as well.
CREATE UNIQUE INDEX uq_eivs_intent_examples_text ON intent_examples (tenant_id, intent_id, text_hash)
    WHERE origin = 'example';
-- Those of an intent, and those of a text.
CREATE INDEX ix_eivs_intent_examples_intent ON intent_examples (tenant_id, intent_id, example_id);
CREATE INDEX ix_eivs_intent_examples_text ON intent_examples (tenant_id, text_hash);
