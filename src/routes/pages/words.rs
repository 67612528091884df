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

/// `accepted, rejected`: the decisions on which it is done.
pub fn when_words(route: &Route) -> String {
    route.decisions.iter().map(|decision| decision.as_str()).collect::<Vec<_>>().join(", ")
}
