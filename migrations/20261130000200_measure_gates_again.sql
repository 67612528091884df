-- From the twentieth example of a message that belongs to no intent on, such messages counted for no more of those that come
-- than there were examples of them: each classifier that has any is measured anew, once, since its gate may be open
-- because of that.
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        UPDATE classifier_settings SET revision = revision + 1, changed_at = now(),
            stale_since = coalesce(stale_since, now())
            WHERE tenant_id = tenant AND EXISTS (SELECT FROM classifiers c WHERE c.tenant_id = tenant)
            AND EXISTS (SELECT FROM intent_examples e WHERE e.tenant_id = tenant AND e.intent_id IS NULL);
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
