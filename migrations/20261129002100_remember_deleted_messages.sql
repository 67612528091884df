-- What was fetched from a mailbox elsewhere, and was deleted since because it was too old. It may still lie there: where that
-- folder is read from its beginning again (another UIDVALIDITY, host or user), it would come in as new, be decided
-- anew, and be answered a second time. A hash of its bytes is kept, and nothing that it says. It goes with its mailbox.

-- Whoever reads or writes there would wait behind this one, which waits for a long transaction, as a backup's.
SET LOCAL lock_timeout = '5s';

CREATE TABLE taken_messages (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mailbox_id   bigint NOT NULL,
    -- As `emails` had it.
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    email_id     uuid NOT NULL,
    PRIMARY KEY (tenant_id, content_hash, mailbox_id),
    CONSTRAINT fk_eivs_taken_messages_mailbox FOREIGN KEY (tenant_id, mailbox_id)
        REFERENCES mailboxes (tenant_id, mailbox_id) ON DELETE CASCADE
);

SELECT protect_tenant_table('taken_messages'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON taken_messages TO flowengine_app;
