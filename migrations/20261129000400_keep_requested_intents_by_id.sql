-- Which intent was asked for, or said by a person to be a message's: a name can change, and then be another's. The name
-- stays beside it, and holds where there is no id, or where the intent is gone. No foreign key: the id outlives the
-- intent, so that a run with the versions of then finds it, and to delete an intent touches no message for this.
ALTER TABLE emails ADD COLUMN requested_intent_id bigint;

-- What was asked for by then is the intent that has the name now. The policies hold for the owner too, so it goes tenant
-- by tenant.
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        UPDATE emails e SET requested_intent_id = i.intent_id FROM intents i
            WHERE e.tenant_id = tenant AND i.tenant_id = tenant AND i.name = e.requested_intent;
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
