//! A route as it is typed.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::headers::Headers;
use crate::{
    emails::dto::Decision,
    routes::dto::{Route, RouteInput, RouteKind},
    shared::{IntentId, TenantId},
};

/// Every field of every kind: what another kind has stays typed while one looks around.
#[derive(Clone, Copy)]
pub struct RouteForm {
    pub name: RwSignal<String>,
    /// An intent's id; empty for every intent.
    pub intent: RwSignal<String>,
    pub kind: RwSignal<String>,
    pub decisions: [(Decision, RwSignal<bool>); 3],
    pub is_active: RwSignal<bool>,
    pub url: RwSignal<String>,
    pub headers: Headers,
    /// An address a line.
    pub to: RwSignal<String>,
    pub subject: RwSignal<String>,
    pub note: RwSignal<String>,
    pub body: RwSignal<String>,
    pub from_name: RwSignal<String>,
    pub reply_to: RwSignal<String>,
    pub label: RwSignal<String>,
}

impl RouteForm {
    /// An empty form for messages of `intent`, or one of a stored route.
    pub fn new(route: Option<&Route>, intent: Option<IntentId>) -> Self {
        let settings = route.map(|route| &route.settings);
        let setting = |name: &str| {
            let text = settings.and_then(|settings| settings.get(name)).and_then(Value::as_str);
            RwSignal::new(text.unwrap_or_default().to_owned())
        };
        let to = settings.and_then(|settings| settings.get("to")).and_then(Value::as_array);
        let to: Vec<&str> = to.into_iter().flatten().filter_map(Value::as_str).collect();
        let of = route.map_or(intent, |route| route.intent_id);
        let is_done_on = |decision| {
            let is_done = route.is_some_and(|route| route.decisions.contains(&decision));
            (decision, RwSignal::new(is_done))
        };
        Self {
            name: RwSignal::new(route.map(|route| route.name.clone()).unwrap_or_default()),
            intent: RwSignal::new(of.map(|id| id.to_string()).unwrap_or_default()),
            kind: RwSignal::new(route.map_or(RouteKind::Webhook, |route| route.kind).to_string()),
            decisions: [Decision::Accepted, Decision::Rejected, Decision::Review].map(is_done_on),
            is_active: RwSignal::new(route.is_none_or(|route| route.is_active)),
            url: setting("url"),
            headers: Headers::new(
                settings.and_then(|settings| settings.get("headers")).and_then(Value::as_object),
            ),
            to: RwSignal::new(to.join("\n")),
            subject: setting("subject"),
            note: setting("note"),
            body: setting("body"),
            from_name: setting("from_name"),
            reply_to: setting("reply_to"),
            label: setting("label"),
        }
    }

    pub fn kind(self) -> RouteKind {
        self.kind.read().parse().unwrap_or(RouteKind::Webhook)
    }

    /// The route as the server takes it. Reads every signal that it is made of.
    pub fn input(self, tenant: &TenantId) -> RouteInput {
        let kind = self.kind();
        let mut settings = Map::new();
        let mut members = |members: &[(&str, RwSignal<String>, bool)]| {
            for (name, field, is_needed) in members {
                let text = field.get();
                if *is_needed || !text.trim().is_empty() {
                    settings.insert((*name).to_owned(), text.into());
                }
            }
        };
        match kind {
            RouteKind::Webhook => {
                settings.insert("url".to_owned(), self.url.get().trim().into());
                let headers = self.headers.read();
                if !headers.is_empty() {
                    settings.insert("headers".to_owned(), headers.into());
                }
            }
            RouteKind::Forward => {
                members(&[("subject", self.subject, false), ("note", self.note, false)]);
                let to = self.to.get();
                let to: Vec<Value> = to
                    .split(['\n', ',', ';'])
                    .map(str::trim)
                    .filter(|a| !a.is_empty())
                    .map(Value::from)
                    .collect();
                settings.insert("to".to_owned(), to.into());
            }
            RouteKind::Reply => members(&[
                ("subject", self.subject, false),
                ("body", self.body, true),
                ("from_name", self.from_name, false),
                ("reply_to", self.reply_to, false),
            ]),
            RouteKind::Label => members(&[("label", self.label, true)]),
        }
        let decisions = self.decisions.into_iter().filter(|(_, is_done)| is_done.get());
        RouteInput {
            name: self.name.get(),
            intent_id: self.intent.get().parse().ok(),
            kind,
            decisions: decisions.map(|(decision, _)| decision).collect(),
            settings,
            is_active: self.is_active.get(),
            tenant_id: Some(tenant.to_string()),
            route_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::datasources::dto::MASK;

    fn route(kind: &str, settings: Value) -> Route {
        serde_json::from_value(json!({
            "route_id": 1, "tenant_id": "acme", "name": "r", "intent_id": 7, "kind": kind,
            "decisions": ["review"], "settings": settings, "is_active": false,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a route")
    }

    fn input_of(kind: &str, settings: Value) -> RouteInput {
        let owner = Owner::new();
        owner.with(|| {
            RouteForm::new(Some(&route(kind, settings)), None).input(&"acme".parse().expect("an id"))
        })
    }

    #[test]
    fn what_was_stored_comes_back_as_it_was() {
        for (kind, settings) in [
            ("webhook", json!({"url": "https://x.example/h", "headers": {"X-Key": MASK}})),
            // Still to be set.
            ("webhook", json!({"url": "https://x.example/h", "headers": {"X-Key": ""}})),
            ("forward", json!({"subject": "s", "note": "n", "to": ["a@x.example", "b@x.example"]})),
            ("reply", json!({"subject": "s", "body": "b", "from_name": "f", "reply_to": "r@x.example"})),
            ("label", json!({"label": "late"})),
        ] {
            let input = input_of(kind, settings.clone());
            assert_eq!(Value::Object(input.settings), settings);
            assert_eq!((input.kind.as_str(), input.decisions.as_slice()), (kind, &[Decision::Review][..]));
            assert_eq!((input.intent_id, input.is_active), (Some(IntentId(7)), false));
        }
    }

    #[test]
    fn a_header_of_another_name_needs_its_value() {
        let owner = Owner::new();
        owner.with(|| {
            let stored = route("webhook", json!({"url": "https://x.example", "headers": {"X-Key": MASK}}));
            let form = RouteForm::new(Some(&stored), None);
            form.headers.rename_first("X-Other");
            let input = form.input(&"acme".parse().expect("an id"));
            assert_eq!(input.settings["headers"], json!({"X-Other": ""}));
        });
    }
}
