-- A key of the installation says who made it, too, as those of tenants do. And while servers of before run beside newer
-- ones, they make keys and invitations without saying it, and put one invitation in the place of another whose maker
-- they leave. So it is found by the name that they write, which no two people share and which stays; what a program
-- made is nobody's then: several may have one name. Nor do they say whether a link is enough for a new account: where
-- an administrator of the installation invites, it is, and else that is judged by whether mail is sent.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE instance_api_keys ADD COLUMN made_by text;

CREATE FUNCTION name_maker_of_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.made_by := (SELECT 'user ' || u.user_id FROM eivs.users u
        WHERE NEW.created_by = u.display_name || ' <' || u.email || '>');
    RETURN NEW;
END $$;
CREATE TRIGGER name_maker BEFORE INSERT ON api_keys FOR EACH ROW
    WHEN (NEW.made_by IS NULL) EXECUTE FUNCTION name_maker_of_key();
CREATE TRIGGER name_maker BEFORE INSERT ON instance_api_keys FOR EACH ROW
    WHEN (NEW.made_by IS NULL) EXECUTE FUNCTION name_maker_of_key();

CREATE FUNCTION name_maker_of_invitation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Neither, where it is no person.
    SELECT 'user ' || u.user_id, nullif(u.is_instance_admin AND u.closed_at IS NULL, false)
        INTO NEW.made_by, NEW.makes_account FROM eivs.users u
        WHERE NEW.invited_by = u.display_name || ' <' || u.email || '>';
    RETURN NEW;
END $$;
CREATE TRIGGER name_maker BEFORE INSERT ON invitations FOR EACH ROW
    WHEN (NEW.made_by IS NULL) EXECUTE FUNCTION name_maker_of_invitation();
CREATE TRIGGER name_next_maker BEFORE UPDATE OF token_hash ON invitations FOR EACH ROW
    WHEN (NEW.token_hash IS DISTINCT FROM OLD.token_hash AND NEW.invited_by IS DISTINCT FROM OLD.invited_by
        AND NEW.made_by IS NOT DISTINCT FROM OLD.made_by)
    EXECUTE FUNCTION name_maker_of_invitation();

-- Of before, what people made is known by the same names.
UPDATE instance_api_keys k SET made_by = 'user ' || u.user_id FROM users u
    WHERE k.created_by = u.display_name || ' <' || u.email || '>';
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        UPDATE api_keys k SET made_by = 'user ' || u.user_id FROM users u
            WHERE k.tenant_id = tenant AND k.made_by IS NULL
            AND k.created_by = u.display_name || ' <' || u.email || '>';
        -- Made by somebody else, where a server of before put it in the place of theirs: what that says is not this
        -- one's.
        UPDATE invitations i SET made_by = 'user ' || u.user_id, makes_account = NULL FROM users u
            WHERE i.tenant_id = tenant AND i.made_by IS DISTINCT FROM 'user ' || u.user_id
            AND i.invited_by = u.display_name || ' <' || u.email || '>';
        UPDATE invitations i SET makes_account = true FROM users u
            WHERE i.tenant_id = tenant AND i.makes_account IS NULL AND u.is_instance_admin AND u.closed_at IS NULL
            AND i.invited_by = u.display_name || ' <' || u.email || '>';
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
