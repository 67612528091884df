//! An HTTP client whose answers are bounded, for the libraries that speak OAuth 2.0 and OpenID Connect.

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;

/// Asks with a client of ours, which has its own time limits and follows no redirects.
#[derive(Clone, Debug)]
pub struct BoundedClient {
    client: Client,
    /// An answer larger than this is none: bytes.
    max_answer: usize,
}

/// Why there is no answer. No address and no body stands in it, for either may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Malformed(#[from] http::Error),
}

impl BoundedClient {
    pub fn new(client: Client, max_answer: usize) -> Self {
        Self { client, max_answer }
    }

    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        let request = reqwest::Request::try_from(request)?;
        let mut answer = self.client.execute(request).await.map_err(reqwest::Error::without_url)?;
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > self.max_answer {
                return Err(HttpFault::TooLarge(self.max_answer));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body)?)
    }

    /// The body of a 200.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub async fn get(&self, url: &url::Url) -> Result<Vec<u8>, String> {
        let request = http::Request::get(url.as_str())
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let answer = self.execute(request).await.map_err(|fault| super::error::chain(&fault))?;
        if answer.status() == http::StatusCode::OK {
            Ok(answer.into_body())
        } else {
            Err(format!("it answered {}", answer.status()))
        }
    }
}

impl<'c> AsyncHttpClient<'c> for BoundedClient {
    type Error = HttpFault;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.execute(request))
    }
}
