//! The list's filters, as they stand in its address.

use leptos_router::{location::Url, params::ParamsMap};

use crate::{emails::dto::EmailFilter, shared::EmailId};

/// Which messages the list shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    pub filter: EmailFilter,
    /// Only messages older than this one.
    pub before: Option<EmailId>,
}

impl ListQuery {
    /// Reads an address. What cannot be read narrows nothing.
    pub fn read(map: &ParamsMap) -> Self {
        let text = |key: &str| map.get(key).filter(|text| !text.trim().is_empty());
        Self {
            filter: EmailFilter {
                decision: text("decision").and_then(|text| text.parse().ok()),
                status: text("status").and_then(|text| text.parse().ok()),
                intent_id: text("intent").and_then(|text| text.parse().ok()),
                label: text("label"),
                q: text("q"),
            },
            before: text("before").and_then(|text| text.parse().ok()),
        }
    }

    /// Whether all messages are shown, if on several pages.
    pub fn is_unfiltered(&self) -> bool {
        self.filter == EmailFilter::default()
    }

    /// The address's query of the same list, from another message on: `?decision=rejected&before=…`.
    pub fn page(&self, before: Option<EmailId>) -> String {
        let EmailFilter { decision, status, intent_id, label, q } = &self.filter;
        let pairs = [
            ("decision", decision.map(|decision| decision.to_string())),
            ("status", status.map(|status| status.to_string())),
            ("intent", intent_id.map(|id| id.to_string())),
            ("label", label.clone()),
            ("q", q.clone()),
            ("before", before.map(|id| id.to_string())),
        ];
        let query: Vec<String> = pairs
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", Url::escape(&value?))))
            .collect();
        if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::emails::dto::Decision;

    #[test]
    fn an_address_is_read_and_written() {
        let map: ParamsMap = [("decision", "rejected"), ("status", "nonsense"), ("q", "a b"), ("intent", "")]
            .into_iter()
            .collect();
        let query = ListQuery::read(&map);
        assert_eq!(query.filter.decision, Some(Decision::Rejected));
        assert_eq!((query.filter.status, query.filter.intent_id), (None, None));
        assert_eq!(query.page(None), "?decision=rejected&q=a%20b");
        assert_eq!(ListQuery::default().page(None), "");
    }
}
