//! The log's filters, as they stand in its address.

use leptos_router::{location::Url, params::ParamsMap};

use crate::{
    audit::dto::AuditFilter,
    shared::{AuditId, TenantId},
    ui::{days::Days, time::machine},
};

/// Which entries the log shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
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
            days: Days::read(text),
            before: text("before").and_then(|text| text.parse().ok()),
        }
    }

    pub fn is_unfiltered(&self) -> bool {
        self.filter() == AuditFilter::default()
    }

    pub fn filter(&self) -> AuditFilter {
        AuditFilter {
            action: self.action.clone(),
            object_id: self.object.clone(),
            actor: self.actor.clone(),
            from: self.days.begin(),
            to: self.days.end(),
        }
    }

    /// The address's query of the same list, from another entry on.
    pub fn page(&self, before: Option<AuditId>) -> String {
        let pairs =
            [("actor", self.actor.clone()), ("action", self.action.clone()), ("object", self.object.clone())];
        let before = ("before", before.map(|id| id.to_string()));
        let query = joined(pairs.into_iter().chain(self.days.pairs()).chain([before]));
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// Where all of it can be had as a file.
    pub fn export(&self, tenant: &TenantId, format: &str) -> String {
        let AuditFilter { from, to, .. } = self.filter();
        let pairs = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("object_id", self.object.clone()),
            ("from", from.map(machine)),
            ("to", to.map(machine)),
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
        assert_eq!(filter.to, "2026-12-01T00:00:00Z".parse().ok(), "the last day counts");
        // What needs no escape is escaped by the server all the same.
        let plain = |address: String| address.replace("%2D", "-").replace("%3A", ":").replace("%5F", "_");
        assert_eq!(plain(query.page(None)), "?actor=ada&from=2026-11-01&to=2026-11-30");
        let tenant: TenantId = "acme".parse().expect("an id");
        assert_eq!(
            plain(query.export(&tenant, "csv")),
            "/api/audit-log?tenant_id=acme&format=csv&actor=ada&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
        );
        let nonsense: ParamsMap = [("from", "yesterday")].into_iter().collect();
        assert!(AuditQuery::read(&nonsense).is_unfiltered());
    }
}
