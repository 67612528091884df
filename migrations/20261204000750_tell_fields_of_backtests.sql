-- A draft may find other fields in a message, and leave its intent, decision and verdicts as they are. That is an outcome of
-- its own. What ran before keeps the one that it has.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE backtest_messages ADD COLUMN field_differences jsonb;
ALTER TABLE backtest_messages DROP CONSTRAINT backtest_messages_outcome_check;
ALTER TABLE backtest_messages ADD CONSTRAINT backtest_messages_outcome_check
    CHECK (outcome IN ('same', 'changed', 'judged', 'extracted', 'drifted', 'skipped', 'error'));
