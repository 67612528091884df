-- A link signs in, or lets a person set a new password. One for either purpose at a time.
ALTER TABLE sign_in_links ADD COLUMN purpose text NOT NULL DEFAULT 'sign_in'
    CHECK (purpose IN ('sign_in', 'reset'));
CREATE INDEX ix_eivs_sign_in_links_user ON sign_in_links (user_id);

-- Whoever holds the link, and is that person, becomes a member. Nobody is one before.
CREATE TABLE invitations (
    tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    invitation_id bigint GENERATED ALWAYS AS IDENTITY,
    email         text NOT NULL CHECK (email = lower(email)),
    role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
    token_hash    bytea NOT NULL CHECK (length(token_hash) = 32),
    invited_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, invitation_id),
    CONSTRAINT uq_eivs_invitations_tenant_email UNIQUE (tenant_id, email)
);
CREATE INDEX ix_eivs_invitations_token ON invitations (token_hash);

SELECT protect_tenant_table('invitations'::regclass);
-- An invitation is found by its own hash: to ask for it is to have it.
CREATE POLICY by_possession ON invitations FOR SELECT
    USING (token_hash = decode(nullif(current_setting('app.key_hash', true), ''), 'hex'));
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO flowengine_app;
GRANT USAGE ON SEQUENCE invitations_invitation_id_seq TO flowengine_app;

-- Who made a key, as the person or program was called then.
ALTER TABLE api_keys ADD COLUMN created_by text NOT NULL DEFAULT '';
ALTER TABLE instance_api_keys ADD COLUMN created_by text NOT NULL DEFAULT '';
