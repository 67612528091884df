//! The list's filters, as they stand in its address.

use leptos_router::{location::Url, params::ParamsMap};

use crate::{app::LastList, emails::dto::EmailFilter, shared::EmailId, ui::days::Days};

/// The status that stands for all that are not decided yet.
pub const WAITING: &str = "waiting";
/// The intent that stands for none.
pub const NO_INTENT: &str = "none";
/// What stands for a filter that is on.
pub const YES: &str = "true";

/// Which messages the list shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    pub filter: EmailFilter,
    /// Of which the filter's times are.
    pub days: Days,
    /// Only messages older than this one.
    pub before: Option<EmailId>,
}

impl ListQuery {
    /// Reads an address. What cannot be read narrows nothing.
    pub fn read(map: &ParamsMap) -> Self {
        let text = |key: &str| map.get(key).filter(|text| !text.trim().is_empty());
        let days = Days::read(text);
        Self {
            filter: EmailFilter {
                decision: text("decision").and_then(|text| text.parse().ok()),
                could_not_ask: text("could_not_ask").as_deref() == Some(YES),
                status: text("status").and_then(|text| text.parse().ok()),
                waiting: text("status").as_deref() == Some(WAITING),
                intent_id: text("intent").and_then(|text| text.parse().ok()),
                without_intent: text("intent").as_deref() == Some(NO_INTENT),
                label: text("label"),
                delivery: text("delivery").and_then(|text| text.parse().ok()),
                q: text("q"),
                from: days.begin(),
                to: days.end(),
                ..EmailFilter::default()
            },
            days,
            before: text("before").and_then(|text| text.parse().ok()),
        }
    }

    /// Reads the address's query, as `page` writes it.
    pub fn parse(query: &str) -> Self {
        let pairs = query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
        Self::read(&pairs.map(|(name, value)| (name.to_owned(), Url::unescape(value))).collect())
    }

    /// What the way back to the list is known by.
    pub fn as_last(&self) -> LastList {
        LastList { filter: self.filter.clone(), query: self.page(self.before) }
    }

    /// What the address says of the status: one of a message's, or that it waits.
    pub fn status(&self) -> Option<String> {
        let EmailFilter { status, waiting, .. } = self.filter;
        if waiting { Some(WAITING.to_owned()) } else { status.map(|status| status.to_string()) }
    }

    /// What the address says of the intent: its id, or that there is none.
    pub fn intent(&self) -> Option<String> {
        let EmailFilter { intent_id, without_intent, .. } = self.filter;
        if without_intent { Some(NO_INTENT.to_owned()) } else { intent_id.map(|id| id.to_string()) }
    }

    /// How many of the filters are set that a narrow page shows only once they are asked for.
    pub fn folded(&self) -> usize {
        let EmailFilter { decision, could_not_ask, delivery, .. } = self.filter;
        let are_set = [
            decision.is_some(),
            could_not_ask,
            self.status().is_some(),
            self.intent().is_some(),
            delivery.is_some(),
            self.days != Days::default(),
        ];
        are_set.into_iter().filter(|is_set| *is_set).count()
    }

    /// Whether one of those is set that a wide page shows only then, or once they are asked for.
    pub fn has_seldom(&self) -> bool {
        let EmailFilter { could_not_ask, delivery, .. } = self.filter;
        could_not_ask || delivery.is_some() || self.days != Days::default()
    }

    /// Whether all messages are shown, if on several pages.
    pub fn is_unfiltered(&self) -> bool {
        self.filter == EmailFilter::default()
    }

    /// The address's query of the same list, from another message on: `?decision=rejected&before=…`.
    pub fn page(&self, before: Option<EmailId>) -> String {
        let EmailFilter { decision, could_not_ask, label, delivery, q, .. } = &self.filter;
        let pairs = [
            ("decision", decision.map(|decision| decision.to_string())),
            ("could_not_ask", could_not_ask.then(|| YES.to_owned())),
            ("status", self.status()),
            ("intent", self.intent()),
            ("label", label.clone()),
            ("delivery", delivery.map(|status| status.to_string())),
            ("q", q.clone()),
        ];
        let query: Vec<String> = pairs
            .into_iter()
            .chain(self.days.pairs())
            .chain([("before", before.map(|id| id.to_string()))])
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
    fn what_is_set_out_of_sight_is_counted() {
        for (address, count) in [
            ("", 0),
            ("?q=a&label=late", 0),
            ("?decision=review&could_not_ask=true&q=a", 2),
            ("?status=waiting&intent=none&delivery=failed", 3),
            ("?from=2026%2D11%2D01&to=2026%2D11%2D02&zone=60", 1),
        ] {
            assert_eq!(ListQuery::parse(address).folded(), count, "{address}");
        }
        for (address, has_seldom) in [
            ("", false),
            ("?decision=review&status=waiting&intent=none&q=a&label=late", false),
            ("?could_not_ask=true", true),
            ("?delivery=failed", true),
            ("?to=2026%2D11%2D02&zone=60", true),
        ] {
            assert_eq!(ListQuery::parse(address).has_seldom(), has_seldom, "{address}");
        }
    }

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
        for address in [
            "?status=waiting&intent=none&delivery=failed",
            "?decision=review&could_not_ask=true",
            "?status=queued&intent=7&label=late",
            "?from=2026%2D11%2D01&zone=%2D90",
        ] {
            assert_eq!(ListQuery::parse(address).page(None), address);
        }
        let with_words = ListQuery::parse("?decision=rejected&q=a%20b%26c%3Dd");
        assert_eq!(with_words.filter.q.as_deref(), Some("a b&c=d"));
        assert_eq!(with_words.as_last().query, "?decision=rejected&q=a%20b%26c%3Dd");
        assert_eq!(ListQuery::parse(""), ListQuery::default());
        assert_eq!(ListQuery::parse("?could_not_ask=1"), ListQuery::default());
    }
}
