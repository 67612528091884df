-- While servers of before `requested_intent_id` run beside newer ones, they change the name and leave the id, and the
-- newer ones go by the id. So the id follows a name that changes without it: to the intent that has the name now, or,
-- where a word is taken back, to what the message had before that word. That is also what a newer server means where it
-- writes another name with the same id: an intent has the name that it reads, but for a word that is taken back, which
-- may name an intent as it was called then. No row is read or written for the trigger to be made.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

CREATE FUNCTION follow_requested_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.undo ? 'requested_intent_id' AND NEW.undo ->> 'what' IS DISTINCT FROM 'intent'
        AND NEW.requested_intent IS NOT DISTINCT FROM OLD.undo ->> 'requested_intent' THEN
        NEW.requested_intent_id := (OLD.undo ->> 'requested_intent_id')::bigint;
    ELSE
        NEW.requested_intent_id := (SELECT i.intent_id FROM eivs.intents i
            WHERE i.tenant_id = NEW.tenant_id AND i.name = NEW.requested_intent);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follow_requested_name BEFORE UPDATE OF requested_intent ON emails FOR EACH ROW
    WHEN (NEW.requested_intent IS DISTINCT FROM OLD.requested_intent
        AND NEW.requested_intent_id IS NOT DISTINCT FROM OLD.requested_intent_id)
    EXECUTE FUNCTION follow_requested_name();
