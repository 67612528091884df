-- People as an OpenID provider knows them. Instance-wide, as users are: who someone is does not depend on a tenant.

CREATE TABLE user_identities (
    issuer       text NOT NULL CHECK (issuer <> ''),
    -- Never reassigned by the issuer and at most 255 characters (OpenID Connect Core 1.0, section 2).
    subject      text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    -- An address that the provider gave to someone else must not bring the next one into the first one's account.
    CONSTRAINT uq_eivs_user_identities_user UNIQUE (issuer, user_id)
);
CREATE INDEX ix_eivs_user_identities_user ON user_identities (user_id);

-- Sign-ins that wait for the provider's answer: ten minutes at most, used once.
CREATE TABLE oidc_attempts (
    -- Of the cookie that binds the attempt to one browser.
    browser_hash bytea PRIMARY KEY CHECK (length(browser_hash) = 32),
    state_hash   bytea NOT NULL CHECK (length(state_hash) = 32),
    nonce        text NOT NULL,
    -- PKCE (RFC 7636): proves to the provider that who brings the code is who asked for it.
    verifier     text NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX ix_eivs_oidc_attempts_expires ON oidc_attempts (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON user_identities TO flowengine_app;
GRANT SELECT, INSERT, DELETE ON oidc_attempts TO flowengine_app;
