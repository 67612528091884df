//! The log's filters, as they stand in its address.

use chrono::{DateTime, TimeDelta, Utc};
use leptos_router::{location::Url, params::ParamsMap};

use crate::{
    audit::dto::AuditFilter,
    shared::{AuditId, TenantId},
};

/// Which entries the log shows. Dates are days in UTC, as in `2026-11-23`, the last one included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Only entries older than this one.
    pub before: Option<AuditId>,
}

impl AuditQuery {
    /// Reads an address. What cannot be read narrows nothing.
    pub fn read(map: &ParamsMap) -> Self {
        let text = |key: &str| map.get(key).filter(|text| !text.trim().is_empty());
        let date = |key: &str| text(key).filter(|text| day(text).is_some());
        Self {
            actor: text("actor"),
            action: text("action"),
            object: text("object"),
            from: date("from"),
            to: date("to"),
            before: text("before").and_then(|text| text.parse().ok()),
        }
    }

    pub fn is_unfiltered(&self) -> bool {
        *self == Self { before: self.before, ..Self::default() }
    }

    pub fn filter(&self) -> AuditFilter {
        AuditFilter {
            action: self.action.clone(),
            object_id: self.object.clone(),
            actor: self.actor.clone(),
            from: self.from.as_deref().and_then(day),
            to: self.to.as_deref().and_then(day).map(|day| day + TimeDelta::days(1)),
        }
    }

    /// The address's query of the same list, from another entry on.
    pub fn page(&self, before: Option<AuditId>) -> String {
        let pairs = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("object", self.object.clone()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("before", before.map(|id| id.to_string())),
        ];
        let query = joined(&pairs);
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// Where all of it can be had as a file.
    pub fn export(&self, tenant: &TenantId, format: &str) -> String {
        let next = |date: &String| {
            let next = day(date)? + TimeDelta::days(1);
            // Its date alone: midnight.
            Some(format!("{}T00:00:00Z", crate::ui::time::in_utc(next).split(' ').next()?))
        };
        let pairs = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("object_id", self.object.clone()),
            ("from", self.from.as_ref().map(|date| format!("{date}T00:00:00Z"))),
            ("to", self.to.as_ref().and_then(next)),
        ];
        let query = joined(&pairs);
        let and = if query.is_empty() { "" } else { "&" };
        format!("/api/audit-log?tenant_id={tenant}&format={format}{and}{query}")
    }
}

/// The beginning of a day.
fn day(text: &str) -> Option<DateTime<Utc>> {
    format!("{text}T00:00:00Z").parse().ok()
}

fn joined(pairs: &[(&str, Option<String>)]) -> String {
    let pairs = pairs.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some(format!("{name}={}", Url::escape(value)))
    });
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
        assert_eq!(filter.to, day("2026-12-01"), "the last day counts");
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
