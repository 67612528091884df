//! What this server calls itself: the receivers of routes, as `deliveries::server::webhook` does.

use serde_json::{Value, json};

const DESCRIPTION: &str = "Posted to the `url` of each route of the kind `webhook` that is for the message's intent \
and decision, once the decision is stored, with the `headers` of the route. As [Standard \
Webhooks](https://www.standardwebhooks.com) has it:

- The route's secret is `whsec_` and base64 of the key. What is signed is `{webhook-id}.{webhook-timestamp}.{body}`, \
the body byte for byte as it came, by HMAC-SHA256 with that key. Hold what you compute against each signature of the \
header: for a day after a secret was replaced, the old one signs too.
- It is sent at least once. A repeat has the same `webhook-id`.
- Answer within 10 seconds (`DELIVERY_TIMEOUT_MS` of the installation), and do what takes longer afterwards.
- What may pass is tried again, at waits that double up to an hour, for 72 hours (`DELIVERY_PATIENCE_HOURS`); \
`Retry-After` is heeded, up to an hour. What was given up is shown by `GET /api/deliveries`, and a person may send it \
again.

A message that is run again and comes to the same decision and intent sends nothing. One that comes to another is told \
anew, and so is the first one if it stands again: of several on one message, that with the latest `timestamp` holds. \
They may arrive in another order.";

/// By the event's type. The body is `routes::server::event::DecidedEvent`, by which it is written.
pub fn all() -> Value {
    let again = "Tried again: it may be a deployment, or a key that is being changed";
    let away = "Tried again, and what else is for this host waits meanwhile";
    let mut responses = json!({
        "2XX": {"description": "Taken"},
        "3XX": {"description": "Given up at once: no redirect is followed"},
        "4XX": {"description": "Given up at once, such as 400, 410 and 422: it would be refused again"},
        "5XX": {"description": away},
    });
    for status in ["401", "403", "404", "409", "423", "424"] {
        responses[status] = json!({"description": again});
    }
    for status in ["408", "425", "429"] {
        responses[status] = json!({"description": away});
    }
    json!({"email.decided": {"post": {
        "operationId": "email_decided",
        "summary": "Tells the receiver of a route how a message is decided.",
        "description": DESCRIPTION,
        "security": [],
        "parameters": [
            {
                "name": "webhook-id",
                "in": "header",
                "required": true,
                "description": "The delivery's id: the same for each try.",
                "schema": {"type": "string", "format": "uuid"},
            },
            {
                "name": "webhook-timestamp",
                "in": "header",
                "required": true,
                "description": "When this try is sent, in seconds since 1970: refuse what is far from now.",
                "schema": {"type": "string", "pattern": "^[0-9]+$"},
            },
            {
                "name": "webhook-signature",
                "in": "header",
                "required": true,
                "description": "`v1,` and base64 of the signature; where there are several, with a space between two.",
                "schema": {"type": "string", "pattern": "^v1,[A-Za-z0-9+/]+=*( v1,[A-Za-z0-9+/]+=*)*$"},
            },
        ],
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DecidedEvent"}}},
        },
        "responses": responses,
    }}})
}
