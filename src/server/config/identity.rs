//! Who else is believed about who someone is: an OpenID provider for people, an issuer of tokens for programs, and
//! whoever hands an invitation's link over.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Reader;

/// Identities that others vouch for. Nothing of it is on unless it is set.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// People sign in with a provider (OpenID Connect), where `OIDC_ISSUER` is set.
    pub oidc: Option<OidcConfig>,
    /// Programs bring tokens (JWT), where `JWT_ISSUER` is set.
    pub jwt: Option<JwtConfig>,
    /// `INVITATION_LINKS` (`instance`): whose links are enough for a new account where no mail is sent.
    pub invitation_links: InvitationLinks,
    /// `IDENTITY_RETRY_MS` (5,000): how long an issuer that could not be asked is left alone.
    pub retry: Duration,
    /// `IDENTITY_REFRESH_MS` (60,000): how often, at most, keys are fetched anew because a token names an unknown one.
    pub refresh: Duration,
}

/// Who vouches for the address of an invited person, where the installation sends no mail and so whoever invites sees the
/// link: an account counts in every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationLinks {
    /// Administrators of the installation. Another's link is for those who have an account, or come by the provider.
    Instance,
    /// A tenant's administrators too: for an installation that is one organisation's.
    Tenant,
}

/// The provider that people sign in with.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// `OIDC_ISSUER`: as the provider's discovery document spells it.
    pub issuer: String,
    /// `OIDC_CLIENT_ID` and `OIDC_CLIENT_SECRET`: as registered there. Without a secret, a public client with PKCE.
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    /// `OIDC_NAME` (`your organisation`): what the button says after "Sign in with".
    pub name: String,
    /// `OIDC_SCOPES` (`openid email profile`).
    pub scopes: Vec<String>,
    /// `OIDC_LINK_BY_EMAIL` (false): whether a person's first sign-in takes over the account of the same verified
    /// address. Whoever can make the provider vouch for an address then has that account, an administrator's too:
    /// only for a provider that the organisation itself runs, and whose people cannot choose their addresses.
    pub link_by_email: bool,
    /// `OIDC_CREATE_USERS` (false): whether a person who has no account gets one, without any tenant.
    pub create_users: bool,
}

/// The issuer whose tokens are keys.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// `JWT_ISSUER`: what `iss` must be.
    pub issuer: String,
    /// `JWT_AUDIENCE`: what `aud` must name.
    pub audience: String,
    /// `JWT_JWKS_URL`: where its keys are. By default its discovery document says so.
    pub jwks_url: Option<Url>,
    /// `JWT_TENANT_CLAIM` (`tenant_id`) and `JWT_ROLE_CLAIM` (`role`): which claims name them.
    pub tenant_claim: String,
    pub role_claim: String,
}

impl Reader<'_> {
    /// Foreign identities; every fault is named.
    pub(super) fn identity(&mut self, production: bool) -> IdentityConfig {
        let config = IdentityConfig {
            oidc: self.oidc(production),
            jwt: self.jwt(production),
            invitation_links: self.invitation_links(),
            retry: Duration::from_millis(self.number("IDENTITY_RETRY_MS", 5_000)),
            refresh: Duration::from_millis(self.number("IDENTITY_REFRESH_MS", 60_000)),
        };
        if let (Some(oidc), Some(jwt)) = (&config.oidc, &config.jwt)
            && oidc.issuer == jwt.issuer
            && oidc.client_id == jwt.audience
        {
            // Else the ID token of a person's sign-in, which browsers and proxies see, would be an API key.
            self.fault("JWT_AUDIENCE", "must differ from OIDC_CLIENT_ID of the same issuer".into());
        }
        config
    }

    fn invitation_links(&mut self) -> InvitationLinks {
        match self.text("INVITATION_LINKS").as_deref() {
            None | Some("instance") => InvitationLinks::Instance,
            Some("tenant") => InvitationLinks::Tenant,
            Some(other) => {
                self.fault("INVITATION_LINKS", format!("'{other}' is neither instance nor tenant"));
                InvitationLinks::Instance
            }
        }
    }

    fn oidc(&mut self, production: bool) -> Option<OidcConfig> {
        let issuer = self.issuer("OIDC_ISSUER", production);
        let client_id = self.text("OIDC_CLIENT_ID");
        let config = OidcConfig {
            client_id: client_id.clone().unwrap_or_default(),
            client_secret: self.text("OIDC_CLIENT_SECRET").map(Into::into),
            name: self.text("OIDC_NAME").unwrap_or_else(|| "your organisation".into()),
            scopes: self.scopes("OIDC_SCOPES", "openid email profile"),
            link_by_email: self.number("OIDC_LINK_BY_EMAIL", false),
            create_users: self.number("OIDC_CREATE_USERS", false),
            issuer: issuer.clone().unwrap_or_default(),
        };
        if self.text("OIDC_ISSUER").is_some() {
            if client_id.is_none() {
                self.fault("OIDC_CLIENT_ID", "must be set where OIDC_ISSUER is".into());
            }
        } else if client_id.is_some() {
            self.fault("OIDC_ISSUER", "must be set where OIDC_CLIENT_ID is".into());
        }
        issuer.map(|_| config)
    }

    fn jwt(&mut self, production: bool) -> Option<JwtConfig> {
        let issuer = self.issuer("JWT_ISSUER", production);
        let audience = self.text("JWT_AUDIENCE");
        let jwks_url: Option<Url> = self.parsed("JWT_JWKS_URL");
        if jwks_url.as_ref().is_some_and(|url| !is_fetchable(url, production)) {
            self.fault("JWT_JWKS_URL", https(production));
        }
        match (self.text("JWT_ISSUER").is_some(), audience.is_some()) {
            (true, false) => self.fault("JWT_AUDIENCE", "must be set where JWT_ISSUER is".into()),
            (false, true) => self.fault("JWT_ISSUER", "must be set where JWT_AUDIENCE is".into()),
            _ => {}
        }
        Some(JwtConfig {
            issuer: issuer?,
            audience: audience?,
            jwks_url,
            tenant_claim: self.text("JWT_TENANT_CLAIM").unwrap_or_else(|| "tenant_id".into()),
            role_claim: self.text("JWT_ROLE_CLAIM").unwrap_or_else(|| "role".into()),
        })
    }

    /// An issuer is an URL without query and fragment, and compared letter by letter (OpenID Connect Core 1.0,
    /// section 2): its text is kept.
    fn issuer(&mut self, name: &str, production: bool) -> Option<String> {
        let text = self.text(name)?;
        let url: Url = self.parsed(name)?;
        if !is_fetchable(&url, production) || url.query().is_some() || url.fragment().is_some() {
            self.fault(name, format!("{}, without query and fragment", https(production)));
            return None;
        }
        Some(text)
    }

    fn scopes(&self, name: &str, default: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_else(|| default.into());
        text.split_whitespace().filter(|scope| *scope != "openid").map(str::to_owned).collect()
    }
}

/// Who can answer in the place of an issuer is anyone: keys and codes go over TLS, but for a trial.
fn is_fetchable(url: &Url, production: bool) -> bool {
    url.has_host() && (url.scheme() == "https" || url.scheme() == "http" && !production)
}

fn https(production: bool) -> String {
    let schemes = if production { "https" } else { "https or, to try it out, http" };
    format!("must be an address by {schemes}")
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn faults(vars: &[(&str, &str)]) -> String {
        let read = Config::read(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
        read.map_or_else(|faults| faults.to_string(), |_| String::new())
    }

    #[test]
    fn half_a_setting_is_a_fault_that_is_named() {
        for (vars, name) in [
            (vec![("OIDC_ISSUER", "https://id.example")], "OIDC_CLIENT_ID"),
            (vec![("OIDC_CLIENT_ID", "x")], "OIDC_ISSUER"),
            (vec![("OIDC_ISSUER", "id.example"), ("OIDC_CLIENT_ID", "x")], "OIDC_ISSUER"),
            (vec![("OIDC_ISSUER", "file:///etc/passwd"), ("OIDC_CLIENT_ID", "x")], "OIDC_ISSUER"),
            (vec![("OIDC_ISSUER", "https://id.example/?a=b"), ("OIDC_CLIENT_ID", "x")], "OIDC_ISSUER"),
            (vec![("INVITATION_LINKS", "all")], "INVITATION_LINKS"),
            (vec![("JWT_ISSUER", "https://id.example")], "JWT_AUDIENCE"),
            (vec![("JWT_AUDIENCE", "x")], "JWT_ISSUER"),
            (
                vec![
                    ("JWT_ISSUER", "https://id.example"),
                    ("JWT_AUDIENCE", "x"),
                    ("JWT_JWKS_URL", "ftp://x"),
                ],
                "JWT_JWKS_URL",
            ),
            (
                vec![
                    ("JWT_ISSUER", "https://id.example"),
                    ("JWT_AUDIENCE", "x"),
                    ("OIDC_ISSUER", "https://id.example"),
                    ("OIDC_CLIENT_ID", "x"),
                ],
                "JWT_AUDIENCE",
            ),
        ] {
            assert!(faults(&vars).contains(&format!("  {name} ")), "{vars:?}: {}", faults(&vars));
        }
        assert_eq!(faults(&[("OIDC_ISSUER", "http://127.0.0.1:9"), ("OIDC_CLIENT_ID", "x")]), "");
        for links in ["", "instance", "tenant"] {
            assert_eq!(faults(&[("INVITATION_LINKS", links)]), "");
        }
    }

    #[test]
    fn production_asks_over_tls_and_is_led_back_to() {
        let text = faults(&[
            ("ENVIRONMENT", "production"),
            ("OIDC_ISSUER", "http://id.example"),
            ("OIDC_CLIENT_ID", "x"),
            ("JWT_ISSUER", "http://id.example"),
            ("JWT_AUDIENCE", "y"),
        ]);
        for name in ["OIDC_ISSUER", "PUBLIC_URL", "JWT_ISSUER"] {
            assert!(text.contains(&format!("  {name} ")), "{name} in {text}");
        }
    }
}
