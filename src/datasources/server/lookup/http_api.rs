//! Look-ups by HTTP: one request to a checked address, no redirects, no proxy, a bounded JSON answer.

mod document;
mod head;
mod rows;

use chrono::Utc;
use reqwest::{
    Client, Method, StatusCode, Url,
    header::{ACCEPT, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Cause, Limits, LookupError, Request, Rows, masking::Masking, oauth::Tokens};
use crate::{
    datasources::server::connection::{Auth, Connection, HttpEndpoint},
    server::{
        aside,
        error::chain,
        outbound::{Fence, Fenced},
    },
};

/// The one client. It resolves names through the fence.
pub struct HttpApi {
    client: Result<Client, String>,
    tokens: Tokens,
}

impl HttpApi {
    pub fn new(fence: &Fence, limits: &Limits) -> Self {
        Self { client: fence.client(limits.connect_timeout, limits.timeout), tokens: Tokens::default() }
    }

    pub fn forget(&self, connection: &Connection) {
        self.tokens.forget(connection);
    }

    pub async fn ask(
        &self,
        connection: &Connection,
        endpoint: &HttpEndpoint,
        request: &Request,
        fence: &Fence,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let Request::Api { method, path, query, headers, body, status, rows, rows_optional } = request else {
            return Err(LookupError::new(Cause::Rule, "an API is asked by method and path"));
        };
        let client = self.client.as_ref().map_err(|error| LookupError::new(Cause::Rule, error.clone()))?;
        let url = url(&endpoint.base_url, path, query, fence)?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| LookupError::new(Cause::Rule, format!("'{method}' is no HTTP method")))?;
        let mut outgoing = client.request(method, url);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(ACCEPT.as_str())) {
            outgoing = outgoing.header(ACCEPT, JSON);
        }
        for (name, value) in headers {
            let header = HeaderValue::from_str(value).map_err(|_| {
                LookupError::new(Cause::Unfit, format!("the header {name} cannot hold this value"))
            })?;
            outgoing = outgoing.header(name, header);
        }
        if let Some(body) = body {
            outgoing = outgoing.json(body);
        }
        let token = self.token(client, connection, fence).await?;
        let answer = authorise(outgoing, &connection.auth, token.as_ref())?.send().await.map_err(describe)?;
        let code = answer.status();
        if code == StatusCode::UNAUTHORIZED && matches!(connection.auth, Auth::OAuth(_)) {
            // A token can be withdrawn before its time: the next try gets a new one.
            self.tokens.forget(connection);
            return Err(LookupError::new(Cause::Answer, "the API refused the OAuth token (401)"));
        }
        let is_answer = if status.is_empty() { code.is_success() } else { status.contains(&code.as_u16()) };
        if !is_answer {
            let retry_after = match code {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    head::wait(answer.headers(), Utc::now())
                }
                _ => None,
            };
            return Err(LookupError { retry_after, ..refused(code) });
        }
        let is_empty_by_its_head = code == StatusCode::NO_CONTENT
            || code == StatusCode::RESET_CONTENT
            || answer.content_length() == Some(0);
        let head = answer.headers().clone();
        let body = read(answer, limits).await?;
        // An answer such as "404: there is no such order" is an answer without rows.
        if !code.is_success() || is_empty_by_its_head {
            return Ok(Rows::default());
        }
        if body.is_empty() {
            // As it is, too, where the API dies once it has sent its head.
            return Err(LookupError::new(Cause::Answer, "the answer is empty"));
        }
        let document = document::read(&head, &body)?;
        let (path, is_optional, max_rows) = (rows.clone(), *rows_optional, limits.max_rows);
        let has_next = head::has_next(&head);
        // No rule can mean a token, which changes by itself. The config's own secrets are hidden where rows are shown, but in names
        // of columns, which are said in many places.
        let hidden = Masking::new(token.as_ref().map(ExposeSecret::expose_secret));
        let own = Masking::of(connection);
        // A path may take its time over a large answer.
        aside::run(move || {
            let mut found =
                hidden.rows(rows::picked(document, path.as_ref(), is_optional, has_next, max_rows)?);
            for column in &mut found.columns {
                *column = own.text(column);
            }
            Ok::<_, LookupError>(found)
        })
        .await
    }

    /// The status of the base address.
    pub async fn probe(
        &self,
        connection: &Connection,
        endpoint: &HttpEndpoint,
        fence: &Fence,
    ) -> Result<u16, LookupError> {
        let client = self.client.as_ref().map_err(|error| LookupError::new(Cause::Rule, error.clone()))?;
        let url = url(&endpoint.base_url, "/", &[], fence)?;
        let outgoing = client.get(url).header(ACCEPT, JSON);
        let token = self.token(client, connection, fence).await?;
        let outgoing = authorise(outgoing, &connection.auth, token.as_ref())?;
        Ok(outgoing.send().await.map_err(describe)?.status().as_u16())
    }

    /// The token to ask with, where the config signs in by OAuth.
    async fn token(
        &self,
        client: &Client,
        connection: &Connection,
        fence: &Fence,
    ) -> Result<Option<SecretString>, LookupError> {
        match &connection.auth {
            Auth::OAuth(oauth) => Ok(Some(self.tokens.get(client, connection, oauth, fence).await?.into())),
            _ => Ok(None),
        }
    }
}

const JSON: &str = "application/json";

fn url(base: &Url, path: &str, query: &[(String, String)], fence: &Fence) -> Result<Url, LookupError> {
    let mut url = base.clone();
    let root = base.path().trim_end_matches('/');
    url.set_path(&format!("{root}{path}"));
    // The parser resolves dots, and drops tabs and line ends before it does.
    if !url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/')) {
        return Err(LookupError::new(Cause::Fenced, "the path leads out of the config's base_url"));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    fence.check_literal(&url)?;
    Ok(url)
}

fn authorise(
    request: reqwest::RequestBuilder,
    auth: &Auth,
    token: Option<&SecretString>,
) -> Result<reqwest::RequestBuilder, LookupError> {
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            LookupError::new(Cause::Credentials, "the stored credentials cannot stand in a header")
        })?;
        value.set_sensitive(true);
        Ok::<_, LookupError>(value)
    };
    Ok(match auth {
        Auth::None => request,
        Auth::OAuth(_) => match token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        },
        Auth::Basic { username, password } => request.basic_auth(username, Some(password.expose_secret())),
        Auth::Bearer { token } => {
            request.header("authorization", sensitive(&format!("Bearer {}", token.expose_secret()))?)
        }
        Auth::KeyHeader { header, key } => {
            let name = HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| LookupError::new(Cause::Credentials, "auth_config.header is no header name"))?;
            request.header(name, sensitive(key.expose_secret())?)
        }
        Auth::KeyQuery { parameter, key } => request.query(&[(parameter.as_str(), key.expose_secret())]),
    })
}

async fn read(mut answer: reqwest::Response, limits: &Limits) -> Result<Vec<u8>, LookupError> {
    if answer.content_length().is_some_and(|length| length > limits.max_bytes as u64) {
        return Err(limits.too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(describe)? {
        if bytes.len() + chunk.len() > limits.max_bytes {
            return Err(limits.too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn refused(code: StatusCode) -> LookupError {
    match code.as_u16() {
        401 | 403 => LookupError::new(Cause::Credentials, format!("the credentials were refused ({code})")),
        300..=399 => {
            LookupError::new(Cause::Refused, format!("the API redirects ({code}), which is not followed"))
        }
        408 | 425 | 429 | 500..=599 => LookupError::new(Cause::Answer, format!("the API answered {code}")),
        _ => LookupError::new(
            Cause::Refused,
            format!("the API answered {code}, which the rule's status does not list as an answer"),
        ),
    }
}

/// Never the URL: a key may stand in its query.
fn describe(error: reqwest::Error) -> LookupError {
    let error = error.without_url();
    let timed_out = error.is_timeout();
    if let Some(fenced) = Fenced::within(&error) {
        return fenced.clone().into();
    }
    if is_tls(&error) {
        return LookupError::new(Cause::Tls, format!("TLS failed: {}", chain(&error)));
    }
    if timed_out {
        return LookupError::new(Cause::Time, "no answer in time");
    }
    LookupError::new(Cause::Broken, format!("the connection failed: {}", chain(&error)))
}

/// Whether TLS is at fault, such as a certificate that nobody vouches for. An I/O error hides its inner one from
/// `source`.
fn is_tls(error: &reqwest::Error) -> bool {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source()).any(
        |error| {
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        },
    )
}
