//! Webhooks as Standard Webhooks has them (<https://www.standardwebhooks.com>): `webhook-id`, by which a receiver
//! drops a repeat, `webhook-timestamp`, by which it refuses a replay, and `webhook-signature` over both and the body.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{
    StatusCode, Url,
    header::{HeaderValue, RETRY_AFTER},
};
use serde_json::Value;

use super::senders::{Arrived, Fault, Senders};
use crate::{
    routes::server::service::Credentials,
    server::{error::chain, outbound::Fenced},
    shared::DeliveryId,
};

/// The longest that `Retry-After` is obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Posts the payload. What is answered is not kept but its status: it may repeat what was sent, header values too.
///
/// # Errors
/// `Fault`, permanent for what the receiver refuses and time does not mend (such as 400 and 410), a redirect and a
/// forbidden address.
pub async fn send(
    senders: &Senders,
    url: &str,
    credentials: &Credentials,
    id: DeliveryId,
    payload: &Value,
    now: DateTime<Utc>,
) -> Result<Arrived, Fault> {
    let url = Url::parse(url).map_err(|error| Fault::permanent(format!("The address is none: {error}")))?;
    senders.fence().check_literal(&url).map_err(|fenced| Fault::permanent(fenced.to_string()))?;
    let body = serde_json::to_vec(payload).map_err(|error| Fault::permanent(error.to_string()))?;
    let (id, timestamp) = (id.to_string(), now.timestamp());
    let signatures: Vec<String> =
        credentials.secrets.iter().filter_map(|secret| secret.sign(&id, timestamp, &body)).collect();
    let mut request = senders
        .client()
        .map_err(Fault::down)?
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures.join(" "));
    for (name, value) in &credentials.headers {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| Fault::permanent(format!("The stored value of the header {name} cannot be sent")))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await.map_err(describe)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(Arrived { code: Some(status.as_u16()) });
    }
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    Err(Fault { code: Some(status.as_u16()), retry_after, ..refused(status) })
}

fn refused(status: StatusCode) -> Fault {
    match status.as_u16() {
        300..=399 => Fault::permanent(format!("The receiver redirects ({status}), which is not followed")),
        408 | 425 | 429 | 500..=599 => Fault::down(format!("The receiver answered {status}")),
        // What a deployment or a key that is being changed can bring about, and time can mend.
        401 | 403 | 404 | 409 | 423 | 424 => Fault::transient(format!("The receiver answered {status}")),
        _ => Fault::permanent(format!("The receiver refused it: {status}")),
    }
}

/// Never the URL: a key may stand in it.
fn describe(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    if let Some(fenced) = Fenced::within(&error) {
        return match fenced {
            Fenced::Forbidden(_) => Fault::permanent(fenced.to_string()),
            Fenced::Unresolved(_) => Fault::down(fenced.to_string()),
        };
    }
    if error.is_timeout() {
        return Fault::down("The receiver did not answer in time");
    }
    Fault::down(format!("The connection failed: {}", chain(&error)))
}
