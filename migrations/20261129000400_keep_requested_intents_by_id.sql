-- Which intent was asked for, or said by a person to be a message's: a name can change, and then be another's. The name
-- stays beside it, and holds where there is no id, or where the intent is gone. No foreign key: the id outlives the
-- intent, so that a run with the versions of then finds it, and to delete an intent touches no message for this.
ALTER TABLE emails ADD COLUMN requested_intent_id bigint;
