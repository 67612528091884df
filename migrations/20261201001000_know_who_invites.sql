-- An invitation and a key say who made them, as no other is called (`invited_by` and `created_by` are names), so that
-- they can end with that person's part in the tenant. An invitation says too whether its link is enough for a new account:
-- where it does not, as those of before and of servers of before, that is judged by whether the installation sends mail,
-- since only then whoever invited did not see the link.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

ALTER TABLE invitations
    ADD COLUMN made_by text,
    ADD COLUMN makes_account boolean;
ALTER TABLE api_keys ADD COLUMN made_by text;

-- Of before, what people made is known by their addresses. What a key made is not: several may have one name.
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        UPDATE invitations i SET made_by = 'user ' || u.user_id FROM users u
            WHERE i.tenant_id = tenant AND i.invited_by = u.display_name || ' <' || u.email || '>';
        UPDATE api_keys k SET made_by = 'user ' || u.user_id FROM users u
            WHERE k.tenant_id = tenant AND k.created_by = u.display_name || ' <' || u.email || '>';
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;

-- The invitations of a tenant that went by mail within a day: all tenants share the installation's relay.
CREATE TABLE invitation_mails (
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mail_id   bigint GENERATED ALWAYS AS IDENTITY,
    mailed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, mail_id)
);
SELECT protect_tenant_table('invitation_mails'::regclass);
GRANT SELECT, INSERT, DELETE ON invitation_mails TO flowengine_app;
GRANT USAGE ON SEQUENCE invitation_mails_mail_id_seq TO flowengine_app;

-- Whom an invitation was mailed to in the last minutes, whichever tenant's it was. Instance-wide: several tenants
-- together must not flood one person.
CREATE TABLE invited_addresses (
    email     text PRIMARY KEY,
    mailed_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON invited_addresses TO flowengine_app;
