//! Wire types of export and import.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{rules::dto::wire_enum, shared::Problem};

/// The largest document that is taken in, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;

wire_enum!(
    /// How a document is written down.
    Format { Yaml = "yaml", Json = "json" }
);

impl Format {
    /// RFC 9512 and RFC 8259.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Yaml => "application/yaml",
            Self::Json => "application/json",
        }
    }
}

wire_enum!(
    /// What an import does with a thing.
    Action { Create = "create", Change = "change", Delete = "delete", Same = "same" }
);

wire_enum!(
    /// What the thing is.
    Kind {
        Config = "config",
        Datasource = "datasource",
        Intent = "intent",
        Rule = "rule",
        Examples = "examples",
        Route = "route",
        Classifier = "classifier",
    }
);

/// One thing of a plan. No secret stands in it: `before` and `after` have the mask where there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(as = ImportChange))]
pub struct Change {
    pub action: Action,
    pub kind: Kind,
    /// What people call it; of a rule, its intent, field and type.
    pub name: String,
    /// The members that differ, as in `conditions.query`; none where the action is not `change`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// By name of member: those that differ, or all of what is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub before: Option<Map<String, Value>>,
    /// By name of member: those that differ, or all of what is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub after: Option<Map<String, Value>>,
    /// What is left for a person to do, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(as = ImportSummary))]
pub struct Summary {
    pub create: usize,
    pub change: usize,
    pub delete: usize,
    pub same: usize,
}

impl Summary {
    pub fn of(changes: &[Change]) -> Self {
        let count = |action| changes.iter().filter(|change| change.action == action).count();
        Self {
            create: count(Action::Create),
            change: count(Action::Change),
            delete: count(Action::Delete),
            same: count(Action::Same),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_same(self) -> bool {
        self.create + self.change + self.delete == 0
    }

    /// `2 to create, 1 to change, 12 the same`
    pub fn words(self) -> String {
        let parts = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.delete, "to delete"),
            (self.same, "the same"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
    }
}

/// The answer to `POST /api/import`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(as = ImportPlan))]
pub struct Plan {
    pub changes: Vec<Change>,
    pub summary: Summary,
    /// Whether it was stored. False for a dry run, and where all is the same.
    pub applied: bool,
    /// The state that it was held against: given back with `revision=`, the import is refused if that has moved.
    pub revision: String,
}

/// What a tenant's configuration holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    pub intents: usize,
    pub rules: usize,
    pub datasources: usize,
    pub configs: usize,
    pub routes: usize,
}

/// What the form of the settings page came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub result: Result<Plan, Problem>,
    /// As it was sent, so that it can be applied.
    pub document: String,
    pub delete: bool,
}
