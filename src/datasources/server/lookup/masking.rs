//! Hides what a config signs in with in what an API answered: one that gives back what it was asked gives back the key, too.
//!
//! Nothing but the whole of a secret, and nothing that anybody wrote: who writes guesses would see by it which are right.

use std::cmp::Reverse;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Rows;
use crate::datasources::{
    dto::MASK,
    server::connection::{Auth, Connection, Endpoint},
};

/// Shorter ones stand in ordinary texts, too: characters.
const SHORTEST: usize = 6;
/// What does not stand in an address as it is (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for programs that take it for a path, as `quote` of Python does.
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// What is hidden, the longest first. Prints none of it.
#[derive(Clone, Debug, Default)]
pub struct Masking(Vec<SecretString>);

impl Masking {
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let long = secrets.into_iter().map(str::trim).filter(|secret| is_long(secret));
        let mut written: Vec<String> = long.flat_map(spellings).collect();
        written.sort();
        written.dedup();
        // One may be a part of another.
        written.sort_by_key(|secret| Reverse(secret.len()));
        Self(written.into_iter().map(SecretString::from).collect())
    }

    /// The secrets of an API's config. A token that was got with them is no part of it. What a database or a file gives is not
    /// what it was asked with.
    pub fn of(connection: &Connection) -> Self {
        if !matches!(connection.endpoint, Endpoint::Http(_)) {
            return Self::default();
        }
        match &connection.auth {
            Auth::None => Self::default(),
            Auth::Basic { username, password } => {
                let password = password.expose_secret();
                let sent = BASE64_STANDARD.encode(format!("{username}:{password}"));
                // To some APIs the name is the key, and the password nothing; others' names are words.
                let key = if password.chars().count() < 2 { username.as_str() } else { password };
                Self::new([key, sent.trim_end_matches('=')])
            }
            Auth::Bearer { token } => Self::new([token.expose_secret()]),
            // `Token 9944…`: an API may give back what follows the scheme alone.
            Auth::KeyHeader { key, .. } | Auth::KeyQuery { key, .. } => {
                let key = key.expose_secret();
                Self::new([key, key.rsplit(' ').next().unwrap_or_default()])
            }
            Auth::OAuth(oauth) => Self::new([oauth.client_secret.expose_secret()]),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), MASK))
    }

    /// The names of members are hidden, too, and a number that is a secret.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            _ if self.is_empty() => value.clone(),
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (self.text(name), self.value(value))).collect()
            }
            Value::Number(number) if self.text(&number.to_string()) == MASK => MASK.into(),
            other => other.clone(),
        }
    }

    pub fn rows(&self, mut rows: Rows) -> Rows {
        if self.is_empty() {
            return rows;
        }
        for column in &mut rows.columns {
            *column = self.text(column);
        }
        for value in rows.rows.iter_mut().flatten() {
            *value = self.value(value);
        }
        rows
    }
}

fn is_long(secret: &str) -> bool {
    secret.trim().chars().count() >= SHORTEST
}

/// A secret as it is, as forms and addresses write it, and as JSON does.
fn spellings(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default();
    let address = utf8_percent_encode(secret, ENCODED).to_string();
    let path = utf8_percent_encode(secret, ENCODED_PATH).to_string();
    vec![
        secret.to_owned(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        address.replace("%20", "+"),
        in_lower_case(&address),
        address,
        in_lower_case(&path),
        path,
        json.replace('/', "\\/"),
        json.to_owned(),
    ]
}

/// `%2f` in the place of `%2F`, as some programs write it.
fn in_lower_case(address: &str) -> String {
    let mut parts = address.split('%');
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        written.push_str(&format!("%{}{rest}", code.to_ascii_lowercase()));
    }
    written
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::datasources::server::connection::{HttpEndpoint, UNSTORED};

    const KEY: &str = "s3 c/ré\"t%2B";

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let masking = Masking::new([KEY, "short", " padded-key "]);
        for (text, shown) in [
            (format!("key={KEY}!"), "key=********!".to_owned()),
            (
                format!(
                    "/x?key={}&a=1",
                    url::form_urlencoded::byte_serialize(KEY.as_bytes()).collect::<String>()
                ),
                "/x?key=********&a=1".to_owned(),
            ),
            ("s3%20c%2Fr%C3%A9%22t%252B".to_owned(), MASK.to_owned()),
            ("s3%20c%2fr%c3%a9%22t%252B".to_owned(), MASK.to_owned()),
            ("s3+c%2Fr%C3%A9%22t%252B".to_owned(), MASK.to_owned()),
            ("s3%20c/r%C3%A9%22t%252B".to_owned(), MASK.to_owned()),
            ("s3%20c/r%c3%a9%22t%252B".to_owned(), MASK.to_owned()),
            (json!({"key": KEY}).to_string().replace('/', "\\/"), "{\"key\":\"********\"}".to_owned()),
            (json!({"key": KEY}).to_string(), "{\"key\":\"********\"}".to_owned()),
            (format!("{KEY}{KEY}padded-key"), MASK.repeat(3)),
            ("short, s3 c/r and é".to_owned(), "short, s3 c/r and é".to_owned()),
            (String::new(), String::new()),
        ] {
            assert_eq!(masking.text(&text), shown, "{text}");
        }
        assert_eq!(Masking::new(["short"]).text("short"), "short");
        assert_eq!(format!("{masking:?}").find("padded"), None);
    }

    #[test]
    fn a_part_of_a_secret_is_left_as_it_is() {
        let masking = Masking::new(["sk_live_1234"]);
        for text in ["sk_l…", "sk_live_123…", "sk_live_123", "sk_x…", "k_live_1234"] {
            assert_eq!(masking.text(text), text, "who guesses would learn that it is one");
        }
    }

    #[test]
    fn a_long_text_is_gone_through_once() {
        let masking = Masking::new([format!("{}b", "a".repeat(16 << 10)).as_str()]);
        let (text, started) = ("a".repeat(1 << 20), Instant::now());
        assert_eq!(masking.text(&text), text);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[test]
    fn rows_are_gone_through_to_their_last_member() {
        let masking = Masking::new(["123456789", "s3cret"]);
        let rows = Rows {
            columns: vec!["id".into(), "of s3cret".into()],
            rows: vec![vec![json!(123_456_789), json!({"s3cret": ["a s3cret", 1_234_567_890, null, true]})]],
            truncated: true,
            ..Rows::default()
        };
        let shown = Rows {
            columns: vec!["id".into(), "of ********".into()],
            rows: vec![vec![json!(MASK), json!({"********": ["a ********", 1_234_567_890, null, true]})]],
            ..rows.clone()
        };
        assert_eq!(masking.rows(rows.clone()), shown);
        assert_eq!(Masking::default().rows(rows.clone()), rows);
    }

    #[test]
    fn an_apis_config_hides_what_it_signs_in_with() {
        let of = |endpoint: Endpoint, auth: Auth| {
            Masking::of(&Connection {
                tenant: "acme".parse().expect("id"),
                config_id: UNSTORED,
                version: 1,
                endpoint,
                auth,
            })
        };
        let basic = |username: &str, password: &str| Auth::Basic {
            username: username.into(),
            password: password.to_owned().into(),
        };
        let base_url = "https://api.example".parse().expect("a URL");
        let http = Endpoint::Http(HttpEndpoint { base_url });
        let sent = "orders, pass-word, Basic b3JkZXJzOnBhc3Mtd29yZA==";
        let masking = of(http.clone(), basic("orders", "pass-word"));
        assert_eq!(masking.text(sent), "orders, ********, Basic ********==");
        // The name of such an account is the key.
        assert_eq!(of(http.clone(), basic("sk_1234", "")).text("of sk_1234"), "of ********");
        assert_eq!(of(http.clone(), basic("sk_1234", "x")).text("of sk_1234"), "of ********");
        let database = of(Endpoint::Sqlite { path: "a".into() }, basic("orders", "pass-word"));
        assert!(database.is_empty(), "whoever writes its queries would write guesses");
        let key = Auth::KeyHeader { header: "X-Api-Key".into(), key: "12-34-56".into() };
        assert_eq!(of(http.clone(), key).text("X-Api-Key: 12-34-56"), "X-Api-Key: ********");
        let key = Auth::KeyHeader { header: "Authorization".into(), key: "Token 9944b0".into() };
        assert_eq!(of(http.clone(), key).text("9944b0, Token 9944b0"), "********, ********");
        // A name beside a short password is a word.
        assert_eq!(of(http.clone(), basic("customer", "1234")).text("customer_id"), "customer_id");
        assert_eq!(
            of(http, Auth::Bearer { token: "tok-en".into() }).text("Bearer tok-en"),
            "Bearer ********"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_secret_is_it_is_found(before in "\\PC*", secret in "\\PC{6,20}") {
            let secret = secret.trim();
            prop_assume!(secret.chars().count() >= SHORTEST && !secret.contains('*'));
            let shown = Masking::new([secret]).text(&format!("{before}{secret}"));
            prop_assert!(!shown.contains(secret), "{}", shown);
        }
    }
}
