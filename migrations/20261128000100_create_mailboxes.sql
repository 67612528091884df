-- The domains whose mail is a tenant's. One belongs to one tenant alone: otherwise a tenant could take another's mail by
-- naming its address. The installation's administrators say which.
CREATE TABLE mail_domains (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    domain     text NOT NULL CHECK (domain <> '' AND domain = lower(domain)),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, domain),
    CONSTRAINT uq_eivs_mail_domains_domain UNIQUE (domain)
);

-- Where a tenant's mail comes from.
CREATE TABLE mailboxes (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mailbox_id bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL CHECK (name <> ''),
    kind       text NOT NULL CHECK (kind IN ('smtp', 'imap')),
    address    text CHECK (address ~ '^[^@\n]+@[^@\n]+$' AND address = lower(address)),
    domain     text GENERATED ALWAYS AS (split_part(address, '@', 2)) STORED,
    -- Host, port, user and the like; never the password.
    imap       jsonb,
    -- Encrypted.
    password   bytea,
    is_active  boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, mailbox_id),
    CONSTRAINT ck_eivs_mailboxes_kind CHECK ((kind = 'smtp') = (address IS NOT NULL) AND (kind = 'imap') = (imap IS NOT NULL)),
    CONSTRAINT uq_eivs_mailboxes_tenant_name UNIQUE (tenant_id, name),
    -- With the domain's key, this holds in the whole installation.
    CONSTRAINT uq_eivs_mailboxes_tenant_address UNIQUE (tenant_id, address),
    CONSTRAINT fk_eivs_mailboxes_domain FOREIGN KEY (tenant_id, domain) REFERENCES mail_domains (tenant_id, domain)
);
CREATE INDEX ix_eivs_mailboxes_address ON mailboxes (address) WHERE kind = 'smtp';

-- The signs of life of a mailbox, and how far its folder was read. Apart from it: it changes with each message.
CREATE TABLE mailbox_heartbeats (
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mailbox_id      bigint NOT NULL,
    last_seen_at    timestamptz,
    last_message_at timestamptz,
    stored          bigint NOT NULL DEFAULT 0,
    on_server       bigint,
    left_there      bigint NOT NULL DEFAULT 0,
    problem         text,
    failing_since   timestamptz,
    -- RFC 9051, section 2.3.1.1: UIDs are comparable while this stays the same.
    uid_validity    bigint,
    last_uid        bigint NOT NULL DEFAULT 0,
    -- The message that could not be read when it was last tried, and how often that was.
    stumbled_uid    bigint,
    stumbles        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, mailbox_id),
    CONSTRAINT fk_eivs_mailbox_heartbeats_mailbox FOREIGN KEY (tenant_id, mailbox_id)
        REFERENCES mailboxes (tenant_id, mailbox_id) ON DELETE CASCADE
);

-- Which folders are to be looked at, and which server has one. A row names a mailbox; it holds nothing of it, since a
-- worker sees those of all tenants.
CREATE TABLE mailbox_watches (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    mailbox_id   bigint NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT now(),
    lock_token   uuid,
    locked_until timestamptz,
    PRIMARY KEY (tenant_id, mailbox_id),
    CONSTRAINT fk_eivs_mailbox_watches_mailbox FOREIGN KEY (tenant_id, mailbox_id)
        REFERENCES mailboxes (tenant_id, mailbox_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_mailbox_watches_due ON mailbox_watches (due_at);

SELECT protect_tenant_table('mail_domains'::regclass);
SELECT protect_tenant_table('mailboxes'::regclass);
SELECT protect_tenant_table('mailbox_heartbeats'::regclass);
SELECT protect_tenant_table('mailbox_watches'::regclass);
-- Whose mail it is, is found by the recipient's address: who names it knows it.
CREATE POLICY by_address ON mailboxes FOR SELECT
    USING (kind = 'smtp' AND address = ANY (string_to_array(nullif(current_setting('app.recipients', true), ''), E'\n')));
CREATE POLICY by_worker ON mailbox_watches
    USING (current_setting('app.worker', true) = 'on')
    WITH CHECK (current_setting('app.worker', true) = 'on');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_domains, mailboxes, mailbox_heartbeats, mailbox_watches TO flowengine_app;
GRANT USAGE ON SEQUENCE mailboxes_mailbox_id_seq TO flowengine_app;

-- By what a message came, and what its carrier said: sender and recipient of the envelope, the client, and what came of
-- SPF, DKIM, DMARC and ARC. It is found out once, at arrival: keys and records change.
ALTER TABLE emails
    ADD COLUMN mailbox_id bigint,
    ADD COLUMN envelope jsonb,
    ADD CONSTRAINT fk_eivs_emails_mailbox FOREIGN KEY (tenant_id, mailbox_id)
        REFERENCES mailboxes (tenant_id, mailbox_id) ON DELETE SET NULL (mailbox_id);
CREATE INDEX ix_eivs_emails_mailbox ON emails (tenant_id, mailbox_id, email_id DESC) WHERE mailbox_id IS NOT NULL;
