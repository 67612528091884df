-- Copies that differ in their numbers alone vouched for each other: every classifier is measured anew, once, since its gate
-- may be open because of them.
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        UPDATE classifier_settings SET revision = revision + 1, changed_at = now(),
            stale_since = coalesce(stale_since, now())
            WHERE tenant_id = tenant AND EXISTS (SELECT FROM classifiers c WHERE c.tenant_id = tenant);
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
