-- A message may differ from how it was decided without the draft too: because of what datasources hold now, or of what was
-- saved since. That is an outcome of its own. What ran before keeps the one that it has.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE backtest_messages DROP CONSTRAINT backtest_messages_outcome_check;
ALTER TABLE backtest_messages ADD CONSTRAINT backtest_messages_outcome_check
    CHECK (outcome IN ('same', 'changed', 'drifted', 'skipped', 'error'));
