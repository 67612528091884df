-- Messages elsewhere with which something is left to do, though their folder was read on past them. What its server did
-- not give is asked for again from time to time; what is stored is still to be marked, or deleted, there. The rows go
-- where the folder is read from its beginning again. Servers of before let them stay, so they say whose UIDs they are.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

CREATE TABLE mailbox_leftovers (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mailbox_id   bigint NOT NULL,
    uid          bigint NOT NULL CHECK (uid BETWEEN 1 AND 4294967295),
    -- As the heartbeat had it.
    uid_validity bigint NOT NULL,
    -- Whether it is here, and is to be marked there; otherwise it is still to be read.
    is_stored    boolean NOT NULL,
    due_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, mailbox_id, uid),
    CONSTRAINT fk_eivs_mailbox_leftovers_mailbox FOREIGN KEY (tenant_id, mailbox_id)
        REFERENCES mailboxes (tenant_id, mailbox_id) ON DELETE CASCADE
);

SELECT protect_tenant_table('mailbox_leftovers'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON mailbox_leftovers TO flowengine_app;
