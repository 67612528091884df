//! What a route's settings say, checked when it is saved.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    emails::server::address,
    routes::dto::RouteKind,
    server::extract::parse_json,
    shared::{Problem, template::Template, validate::Checks},
};

/// A mail goes to at most this many addresses.
const MAX_RECIPIENTS: usize = 20;
/// A webhook has at most this many headers of its own.
const MAX_HEADERS: usize = 20;
/// A template has at most this many characters.
const MAX_TEMPLATE: usize = 20_000;
/// A label has at most this many characters, its template too.
pub const MAX_LABEL: usize = 100;

/// Headers that are ours to set, or that belong to the connection.
const RESERVED: [&str; 12] = [
    "host",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "expect",
    "te",
    "trailer",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// The settings of a route, by its kind.
#[derive(Clone, Debug)]
pub enum Settings {
    Webhook(Webhook),
    Forward(Forward),
    Reply(Reply),
    Label(Label),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    /// Sent with it, such as an `Authorization`. Stored encrypted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    pub to: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Template>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Template>,
    pub body: Template,
    /// The name beside the installation's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// Where the answer to the answer goes; to the address that the message came to, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    pub label: Template,
}

impl Settings {
    /// # Errors
    /// 422 naming the member, as in `settings.url`.
    pub fn parse(kind: RouteKind, settings: &Map<String, Value>) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(settings).unwrap_or_default();
        let mut checks = Checks::default();
        let parsed = match kind {
            RouteKind::Webhook => checks.part("settings", parse_json(&bytes).map(Self::Webhook)),
            RouteKind::Forward => checks.part("settings", parse_json(&bytes).map(Self::Forward)),
            RouteKind::Reply => checks.part("settings", parse_json(&bytes).map(Self::Reply)),
            RouteKind::Label => checks.part("settings", parse_json(&bytes).map(Self::Label)),
        };
        if let Some(parsed) = &parsed {
            parsed.check(&mut checks);
        }
        checks.finish()?;
        parsed.ok_or_else(|| Problem::invalid_field("settings", "are missing"))
    }

    /// The fields that its templates name, each with the member that does.
    pub fn fields(&self) -> Vec<(&'static str, &str)> {
        self.templates()
            .into_iter()
            .flat_map(|(member, template)| template.fields().map(move |name| (member, name)))
            .collect()
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        let all = match self {
            Self::Webhook(_) => Vec::new(),
            Self::Forward(forward) => {
                vec![("settings.subject", forward.subject.as_ref()), ("settings.note", forward.note.as_ref())]
            }
            Self::Reply(reply) => {
                vec![("settings.subject", reply.subject.as_ref()), ("settings.body", Some(&reply.body))]
            }
            Self::Label(label) => vec![("settings.label", Some(&label.label))],
        };
        all.into_iter().filter_map(|(member, template)| Some((member, template?))).collect()
    }

    fn check(&self, checks: &mut Checks) {
        for (member, template) in self.templates() {
            let text = template.to_string();
            let max = if matches!(self, Self::Label(_)) { MAX_LABEL } else { MAX_TEMPLATE };
            checks.text(member, &text, max);
            if text.trim().is_empty() {
                checks.fault(member, "must not be empty");
            }
        }
        match self {
            Self::Webhook(webhook) => webhook.check(checks),
            Self::Forward(forward) => forward.check(checks),
            Self::Reply(reply) => {
                if let Some(name) = &reply.from_name {
                    checks.name("settings.from_name", name);
                }
                if reply.reply_to.as_ref().is_some_and(|text| address::parse(text).is_none()) {
                    checks.fault("settings.reply_to", "is no mail address");
                }
            }
            Self::Label(_) => {}
        }
    }
}

impl Webhook {
    fn check(&self, checks: &mut Checks) {
        match url::Url::parse(&self.url) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
                checks.fault("settings.url", "must be an http or https address");
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                checks.fault("settings.url", "must hold no credentials: put them into settings.headers");
            }
            Ok(_) if self.url.chars().count() > 2_000 => {
                checks.fault("settings.url", "must have at most 2000 characters");
            }
            Ok(_) => {}
            Err(_) => checks.fault("settings.url", "must be an address such as https://erp.example/hooks"),
        }
        if self.headers.len() > MAX_HEADERS {
            checks.fault("settings.headers", format!("must be at most {MAX_HEADERS}"));
        }
        for (name, value) in &self.headers {
            let at = format!("settings.headers.{name}");
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                checks.fault(at, "is no header name");
            } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
                checks.fault(at, "is set by FlowEngine");
            } else if value.len() > 4_000 || HeaderValue::from_str(value).is_err() {
                checks.fault(at, "cannot stand in a header");
            }
        }
    }
}

impl Forward {
    fn check(&self, checks: &mut Checks) {
        if self.to.is_empty() || self.to.len() > MAX_RECIPIENTS {
            checks.fault("settings.to", format!("must be 1 to {MAX_RECIPIENTS} addresses"));
        }
        for (i, to) in self.to.iter().enumerate() {
            if address::parse(to).is_none() {
                checks.fault(format!("settings.to[{i}]"), format!("'{to}' is no mail address"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(kind: RouteKind, settings: Value) -> Vec<String> {
        let settings = settings.as_object().expect("an object").clone();
        match Settings::parse(kind, &settings) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|error| error.field).collect(),
        }
    }

    #[test]
    fn settings_are_checked_by_kind_and_faults_named() {
        for (kind, settings) in [
            (RouteKind::Webhook, json!({"url": "https://a.example/x", "headers": {"X-Key": "s"}})),
            (RouteKind::Forward, json!({"to": ["a@b.example", "ü@ü.example"], "note": "{{subject}}"})),
            (RouteKind::Reply, json!({"body": "Dear {{sender_name}}", "from_name": "Acme"})),
            (RouteKind::Label, json!({"label": "late"})),
        ] {
            assert_eq!(fields(kind, settings), Vec::<String>::new());
        }
        for (kind, settings, field) in [
            (RouteKind::Webhook, json!({}), "settings.url"),
            (RouteKind::Webhook, json!({"url": "ftp://a.example"}), "settings.url"),
            (RouteKind::Webhook, json!({"url": "https://u:p@a.example"}), "settings.url"),
            (RouteKind::Webhook, json!({"url": "nonsense"}), "settings.url"),
            (RouteKind::Webhook, json!({"url": "https://a.example", "to": 1}), "settings.to"),
            (
                RouteKind::Webhook,
                json!({"url": "https://a.example", "headers": {"X\r\nY": "1"}}),
                "settings.headers.X\r\nY",
            ),
            (
                RouteKind::Webhook,
                json!({"url": "https://a.example", "headers": {"X": "1\r\nHost: b"}}),
                "settings.headers.X",
            ),
            (
                RouteKind::Webhook,
                json!({"url": "https://a.example", "headers": {"Webhook-Id": "1"}}),
                "settings.headers.Webhook-Id",
            ),
            (RouteKind::Forward, json!({"to": []}), "settings.to"),
            (RouteKind::Forward, json!({"to": ["a@b.example", "a b"]}), "settings.to[1]"),
            (RouteKind::Forward, json!({"to": ["a@b.example\r\nBcc: c@d.example"]}), "settings.to[0]"),
            (RouteKind::Reply, json!({"body": "{{a b}}"}), "settings.body"),
            (RouteKind::Reply, json!({"body": " "}), "settings.body"),
            (RouteKind::Reply, json!({"body": "x", "from_name": "a\nb"}), "settings.from_name"),
            (RouteKind::Reply, json!({"body": "x", "reply_to": "a b"}), "settings.reply_to"),
            (RouteKind::Label, json!({"label": "x".repeat(101)}), "settings.label"),
        ] {
            assert_eq!(fields(kind, settings.clone()), [field], "{settings}");
        }
    }
}
