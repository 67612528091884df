-- A verdict says what its rule demanded, in words: the rule may be changed or deleted since. Of before, and where servers of
-- before judge beside newer ones, nothing is kept: it is told then by what the verdict has of its rule.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE verdicts ADD COLUMN demand text NOT NULL DEFAULT '';
