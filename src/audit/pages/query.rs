//! The log's filters, as they stand in its address.

use leptos_router::{location::Url, params::ParamsMap};

use crate::{
    audit::dto::AuditFilter,
    shared::{AuditId, TenantId},
    ui::{days::Days, time::machine},
};

/// The parameter that says whose doing is shown, and its value for all there is.
pub const SHOWN: &str = "shown";
pub const EVERYTHING: &str = "everything";

/// The kind of thing that a message is to the log, and what people call it.
const EMAIL: (&str, &str) = ("email", "message");

/// An action as people read it, by its two parts: `message: take back`.
pub fn action_words(action: &str) -> String {
    let (kind, verb) = action.split_once('.').unwrap_or((action, ""));
    let kind = if kind == EMAIL.0 { EMAIL.1 } else { kind };
    format!("{kind}: {verb}").replace('_', " ")
}

/// The action, or kind, that is asked for by the words of the screen.
fn action_of(asked: &str) -> String {
    let rest = asked.strip_prefix(EMAIL.1).filter(|rest| rest.is_empty() || rest.starts_with('.'));
    rest.map_or_else(|| asked.to_owned(), |rest| EMAIL.0.to_owned() + rest)
}

/// Which entries the log shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
    /// Whether what the server did by itself, and each message that came in, is shown too.
    pub everything: bool,
    pub days: Days,
    /// Only entries older than this one.
    pub before: Option<AuditId>,
}

impl AuditQuery {
    /// Reads an address. What cannot be read narrows nothing.
    pub fn read(map: &ParamsMap) -> Self {
        let text = |key: &str| map.get(key).filter(|text| !text.trim().is_empty());
        Self {
            actor: text("actor"),
            action: text("action"),
            object: text("object"),
            everything: text(SHOWN).as_deref() == Some(EVERYTHING),
            days: Days::read(text),
            before: text("before").and_then(|text| text.parse().ok()),
        }
    }

    pub fn is_unfiltered(&self) -> bool {
        self.filter() == Self::default().filter()
    }

    /// How many of the filters are set, which a narrow page shows only once they are asked for.
    pub fn folded(&self) -> usize {
        let Self { actor, action, object, everything, days, .. } = self;
        let are_set =
            [actor.is_some(), action.is_some(), object.is_some(), *everything, *days != Days::default()];
        are_set.into_iter().filter(|is_set| *is_set).count()
    }

    pub fn filter(&self) -> AuditFilter {
        AuditFilter {
            action: self.action.as_deref().map(action_of),
            object_id: self.object.clone(),
            actor: self.actor.clone(),
            from: self.days.begin(),
            to: self.days.end(),
            people_only: !self.everything,
        }
    }

    /// The address's query of the same list, from another entry on.
    pub fn page(&self, before: Option<AuditId>) -> String {
        let pairs = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("object", self.object.clone()),
            (SHOWN, self.everything.then(|| EVERYTHING.to_owned())),
        ];
        let before = ("before", before.map(|id| id.to_string()));
        let query = joined(pairs.into_iter().chain(self.days.pairs()).chain([before]));
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// Where all of it can be had as a file.
    pub fn export(&self, tenant: &TenantId, format: &str) -> String {
        let AuditFilter { action, from, to, people_only, .. } = self.filter();
        let pairs = [
            ("actor", self.actor.clone()),
            ("action", action),
            ("object_id", self.object.clone()),
            ("from", from.map(machine)),
            ("to", to.map(machine)),
            ("people_only", people_only.then(|| true.to_string())),
        ];
        let query = joined(pairs);
        let and = if query.is_empty() { "" } else { "&" };
        format!("/api/audit-log?tenant_id={tenant}&format={format}{and}{query}")
    }
}

fn joined(pairs: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let pairs =
        pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", Url::escape(&value?))));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let map: ParamsMap = [
            ("actor", "ada"),
            ("from", "2026-11-01"),
            ("to", "2026-11-30"),
            ("action", " "),
            ("before", "x"),
        ]
        .into_iter()
        .collect();
        let query = AuditQuery::read(&map);
        let filter = query.filter();
        assert_eq!(filter.actor.as_deref(), Some("ada"));
        assert_eq!(filter.action, None);
        assert_eq!(query.folded(), 2, "who, and some days");
        assert_eq!(filter.to, "2026-12-01T00:00:00Z".parse().ok(), "the last day counts");
        // What needs no escape is escaped by the server all the same.
        let plain = |address: String| {
            [("%2D", "-"), ("%2E", "."), ("%3A", ":"), ("%5F", "_")]
                .into_iter()
                .fold(address, |address, (escaped, sign)| address.replace(escaped, sign))
        };
        assert!(filter.people_only);
        assert_eq!(plain(query.page(None)), "?actor=ada&from=2026-11-01&to=2026-11-30");
        let tenant: TenantId = "acme".parse().expect("an id");
        assert_eq!(
            plain(query.export(&tenant, "csv")),
            "/api/audit-log?tenant_id=acme&format=csv&actor=ada&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z&people_only=true"
        );
        let all: ParamsMap = [("shown", "everything"), ("action", "message.receive")].into_iter().collect();
        let all = AuditQuery::read(&all);
        assert!(!all.filter().people_only && !all.is_unfiltered());
        assert_eq!(all.folded(), 2);
        assert_eq!(plain(all.page(None)), "?action=message.receive&shown=everything");
        assert_eq!(
            plain(all.export(&tenant, "csv")),
            "/api/audit-log?tenant_id=acme&format=csv&action=email.receive"
        );
        let nonsense: ParamsMap = [("from", "yesterday"), ("shown", "much")].into_iter().collect();
        let unfiltered = AuditQuery::read(&nonsense);
        assert!(unfiltered.is_unfiltered());
        assert_eq!(unfiltered.folded(), 0);
    }

    #[test]
    fn a_message_is_called_so() {
        for (action, words) in [
            ("email.take_back", "message: take back"),
            ("datasource_config.create", "datasource config: create"),
            ("email", "message: "),
        ] {
            assert_eq!(action_words(action), words);
        }
        for (asked, action) in [
            ("message", "email"),
            ("message.receive", "email.receive"),
            ("email.receive", "email.receive"),
            ("messages", "messages"),
            ("intent", "intent"),
        ] {
            assert_eq!(action_of(asked), action);
        }
    }
}
