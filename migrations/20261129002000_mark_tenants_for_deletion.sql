-- A tenant that is deleted is marked, and gone for everybody at once; its rows go in the background, a little at a time. All
-- of a large one in one transaction would take minutes, in which whoever writes to it waits, and come to nothing where
-- it breaks off.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE tenants ADD COLUMN deleting_since timestamptz;

-- Nobody sees one that is marked but who deletes it and says so: every look for a tenant, a key's, a member's, a recipient's
-- or a worker's, goes through this table. Not FORCE: foreign keys and migrations still see all.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY while_it_is_there ON tenants
    USING (deleting_since IS NULL OR current_setting('app.deleting', true) = 'on')
    WITH CHECK (true);

-- None comes back: what was deleted of it would be missing.
CREATE FUNCTION stay_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tenant % is being deleted', OLD.tenant_id;
END $$;
CREATE TRIGGER stay_deleted BEFORE UPDATE OF deleting_since ON tenants FOR EACH ROW
    WHEN (OLD.deleting_since IS NOT NULL) EXECUTE FUNCTION stay_deleted();

-- The server's role may only add to the audit log and read it. A tenant's goes with the tenant, and may be long: so, as
-- the owner, some of it goes, of a tenant that is marked and of no other.
CREATE FUNCTION forget_audit_log_of_deleted(tenant text, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = eivs, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    IF tenant IS DISTINCT FROM current_setting('app.tenant_id', true) OR NOT EXISTS (
        SELECT FROM tenants t WHERE t.tenant_id = tenant AND t.deleting_since IS NOT NULL) THEN
        RETURN 0;
    END IF;
    DELETE FROM audit_log a WHERE a.tenant_id = tenant AND a.audit_id = ANY (ARRAY(
        SELECT b.audit_id FROM audit_log b WHERE b.tenant_id = tenant ORDER BY b.audit_id LIMIT most));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END $$;
REVOKE ALL ON FUNCTION forget_audit_log_of_deleted(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_audit_log_of_deleted(text, integer) TO flowengine_app;
