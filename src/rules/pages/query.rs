//! The filters of the rules, as they stand in the address.

use leptos_router::params::ParamsMap;

use crate::{
    rules::dto::{RuleType, ValidationRule},
    shared::{DatasourceId, IntentId},
};

/// Which rules the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RulesQuery {
    pub intent_id: Option<IntentId>,
    pub datasource_id: Option<DatasourceId>,
    pub rule_type: Option<RuleType>,
    pub is_active: Option<bool>,
}

impl RulesQuery {
    /// Reads an address. What cannot be read narrows nothing.
    pub fn read(map: &ParamsMap) -> Self {
        let text = |key: &str| map.get(key).filter(|text| !text.is_empty());
        Self {
            intent_id: text("intent").and_then(|text| text.parse().ok()),
            datasource_id: text("datasource").and_then(|text| text.parse().ok()),
            rule_type: text("type").and_then(|text| text.parse().ok()),
            is_active: text("active").and_then(|text| text.parse().ok()),
        }
    }

    pub fn is_unfiltered(self) -> bool {
        self == Self::default()
    }

    /// How many of the filters are set, which a narrow page shows only once they are asked for.
    pub fn folded(self) -> usize {
        let Self { intent_id, datasource_id, rule_type, is_active } = self;
        let are_set =
            [intent_id.is_some(), datasource_id.is_some(), rule_type.is_some(), is_active.is_some()];
        are_set.into_iter().filter(|is_set| *is_set).count()
    }

    pub fn lets_through(self, rule: &ValidationRule) -> bool {
        self.intent_id.is_none_or(|id| rule.intent_id == id)
            && self.datasource_id.is_none_or(|id| rule.datasource_id == Some(id))
            && self.rule_type.is_none_or(|kind| rule.rule_type == kind)
            && self.is_active.is_none_or(|is_active| rule.is_active == is_active)
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read() {
        let map: ParamsMap = [("intent", "7"), ("datasource", ""), ("type", "nonsense"), ("active", "false")]
            .into_iter()
            .collect();
        let query = RulesQuery::read(&map);
        assert_eq!(query.intent_id, Some(IntentId(7)));
        assert_eq!((query.datasource_id, query.rule_type), (None, None));
        assert_eq!(query.is_active, Some(false));
        assert!(!query.is_unfiltered());
        assert_eq!((query.folded(), RulesQuery::default().folded()), (2, 0));
    }
}
