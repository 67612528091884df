-- Who calls, in one round trip: a key, what it may do, and whether its tenant is open. The setting shows the key to
-- whoever holds it (policy by_possession), and ends with the statement's own transaction.
CREATE FUNCTION caller_by_key(hash bytea)
RETURNS TABLE (
    tenant_id text, tenant_is_active boolean, key_id bigint, name text, role text, is_stale boolean
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.key_hash', encode(hash, 'hex'), true);
    RETURN QUERY
        SELECT k.tenant_id, t.is_active, k.key_id, k.name, k.role,
            k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
        FROM api_keys k JOIN tenants t USING (tenant_id)
        WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    IF NOT FOUND THEN
        RETURN QUERY
            SELECT NULL::text, NULL::boolean, k.key_id, k.name, NULL::text,
                k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
            FROM instance_api_keys k
            WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    END IF;
END $$;
REVOKE ALL ON FUNCTION caller_by_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION caller_by_key(bytea) TO flowengine_app;
