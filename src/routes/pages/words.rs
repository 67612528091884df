//! Routes in words.

use serde_json::Value;

use crate::routes::dto::{Route, RouteKind};

/// The kinds of routes, and what each does.
pub const KINDS: [(&str, &str); 4] = [
    ("webhook", "Tell a program (webhook)"),
    ("forward", "Forward the message"),
    ("reply", "Answer the sender"),
    ("label", "Label the message"),
];

/// What it does, in a few words.
pub fn deed(route: &Route) -> String {
    let text = |member: &str| route.settings.get(member).and_then(Value::as_str).unwrap_or_default();
    match route.kind {
        RouteKind::Webhook => format!("Tells {}", text("url")),
        RouteKind::Forward => {
            let to =
                route.settings.get("to").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let to: Vec<&str> = to.iter().filter_map(Value::as_str).collect();
            format!("Forwards it to {}", to.join(", "))
        }
        RouteKind::Reply => "Answers its sender".to_owned(),
        RouteKind::Label => format!("Labels it “{}”", text("label")),
    }
}

/// What stands for a header's value that did not come with an import.
const TO_BE_SET: &str = "to be set; until then, what is to be sent waits. What waits for too long is given up, and can be \
                         sent again";

/// What its deed leaves unsaid, as names and texts. What may be left empty says what stands for it.
pub fn details(route: &Route) -> Vec<(&'static str, String)> {
    let text = |member: &str| route.settings.get(member).and_then(Value::as_str).unwrap_or_default();
    let text_or = |member: &str, empty: &str| match text(member) {
        "" => empty.to_owned(),
        text => text.to_owned(),
    };
    match route.kind {
        RouteKind::Webhook => {
            let headers = route.settings.get("headers").and_then(Value::as_object);
            let header = |(name, value): (&String, &Value)| {
                let value = value.as_str().filter(|value| !value.is_empty());
                format!("{name}: {}", value.unwrap_or(TO_BE_SET))
            };
            let headers: Vec<String> = headers.into_iter().flatten().map(header).collect();
            if headers.is_empty() { Vec::new() } else { vec![("Headers", headers.join("\n"))] }
        }
        RouteKind::Forward => vec![
            ("Subject", text_or("subject", "Fwd: and the message’s own")),
            ("Note", text_or("note", "The decision’s reasons")),
        ],
        RouteKind::Reply => vec![
            ("Subject", text_or("subject", "Re: and the message’s own")),
            ("Text", text("body").to_owned()),
            ("Name of the sender", text_or("from_name", "The installation’s")),
            ("Answers go to", text_or("reply_to", "The address that the message came to")),
        ],
        RouteKind::Label => Vec::new(),
    }
}

/// `accepted, rejected`: the decisions on which it is done.
pub fn when_words(route: &Route) -> String {
    route.decisions.iter().map(|decision| decision.as_str()).collect::<Vec<_>>().join(", ")
}
