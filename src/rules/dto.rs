//! Wire types of validation rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use crate::shared::{
    DatasourceId, IntentId, Problem, RuleId, TenantId,
    validate::{
        Checks, default_priority, null_as, null_as_default, null_as_default_priority, null_as_yes, yes,
    },
};

/// Declares a wire enum whose database form is its wire form.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(sqlx::Type, utoipa::ToSchema))]
        $(#[$doc])*
        #[cfg_attr(feature = "ssr", sqlx(type_name = "text", rename_all = "snake_case"))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}
pub(crate) use wire_enum;

wire_enum!(
    /// What a rule asks of its look-up (DESIGN, section 5).
    RuleType {
        Exists = "exists",
        NotExists = "not_exists",
        Equals = "equals",
        NotEquals = "not_equals",
        Regex = "regex",
        OneOf = "one_of",
        Compare = "compare",
        Expression = "expression",
    }
);

wire_enum!(
    /// What a failure of the rule means for the message.
    OnFail { Reject = "reject", Review = "review", Warn = "warn" }
);

wire_enum!(
    /// What it means when the datasource could not be asked and tries ran out.
    OnError { Review = "review", Reject = "reject", Ignore = "ignore" }
);

wire_enum!(
    /// What it means when the message lacks a field that the rule names. A message that says something there which cannot be
    /// read does not lack it: the rule fails.
    WhenMissing { Fail = "fail", Skip = "skip" }
);

wire_enum!(
    /// What one rule said of one message.
    Verdict { Pass = "pass", Fail = "fail", Error = "error", Skipped = "skipped" }
);

/// A validation rule of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ValidationRule {
    pub rule_id: RuleId,
    pub tenant_id: TenantId,
    pub intent_id: IntentId,
    pub datasource_id: Option<DatasourceId>,
    pub field_name: String,
    pub rule_type: RuleType,
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub conditions: serde_json::Value,
    /// Rules run lowest first.
    pub priority: i32,
    pub is_active: bool,
    pub on_fail: OnFail,
    pub on_error: OnError,
    pub when_missing: WhenMissing,
    /// Whether a failure ends the run.
    pub stop: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A rule that asks a datasource, for those who look at that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleUse {
    pub rule_id: RuleId,
    pub intent_id: IntentId,
    /// The intent's name.
    pub intent: String,
    pub field_name: String,
    pub rule_type: RuleType,
    pub is_active: bool,
}

/// An intent has at most this many rules: each costs a look-up, and every version keeps them all.
pub const MAX_RULES: usize = 200;

/// Whether a rule that has a datasource asks it. One that has something to judge its own field by, and names nothing to look
/// up, judges the field itself. Not `not_equals`: where its look-up was forgotten, it would hold for everybody.
pub fn asks(rule_type: RuleType, conditions: &serde_json::Value) -> bool {
    const JUDGING: [&str; 6] = ["expected", "ignore_case", "pattern", "op", "as", "expression"];
    let Some(members) = conditions.as_object() else { return true };
    let has_measure = match rule_type {
        RuleType::Exists | RuleType::NotExists | RuleType::NotEquals => false,
        RuleType::Regex | RuleType::OneOf | RuleType::Expression => true,
        RuleType::Equals | RuleType::Compare => {
            members.get("expected").is_some_and(|expected| !expected.is_null())
        }
    };
    !has_measure || members.keys().any(|name| !JUDGING.contains(&name.as_str()))
}

/// Headers that carry credentials: those belong into the config, encrypted. In lower case.
pub const CREDENTIAL_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"];

/// The body of `POST` and `PUT` for rules. Within `with-rules` it has no `intent_id`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(json!({
        "intent_id": 1,
        "datasource_id": 1,
        "field_name": "sender_email",
        "rule_type": "exists",
        "conditions": {"query": "SELECT * FROM data WHERE email = ?", "params": ["{{sender_email}}"]}
    })))
)]
pub struct RuleInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<IntentId>,
    #[serde(default)]
    pub datasource_id: Option<DatasourceId>,
    #[cfg_attr(feature = "ssr", schema(pattern = "^(header\\.[A-Za-z0-9_-]+|[A-Za-z0-9_]+)$"))]
    pub field_name: String,
    pub rule_type: RuleType,
    #[serde(default = "empty_object", deserialize_with = "conditions")]
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub conditions: serde_json::Value,
    #[serde(default = "default_priority", deserialize_with = "null_as_default_priority")]
    #[cfg_attr(feature = "ssr", schema(default = 100))]
    pub priority: i32,
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    #[serde(default = "OnFail::reject", deserialize_with = "on_fail")]
    #[cfg_attr(feature = "ssr", schema(default = "reject"))]
    pub on_fail: OnFail,
    #[serde(default = "OnError::review", deserialize_with = "on_error")]
    #[cfg_attr(feature = "ssr", schema(default = "review"))]
    pub on_error: OnError,
    #[serde(default = "WhenMissing::fail", deserialize_with = "when_missing")]
    #[cfg_attr(feature = "ssr", schema(default = "fail"))]
    pub when_missing: WhenMissing,
    #[serde(default, deserialize_with = "null_as_default")]
    pub stop: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    /// The rule whose place it takes, where an intent is replaced with its rules. Elsewhere it is read back, and not
    /// heeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<RuleId>,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
}

fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<serde_json::Value, D::Error> {
    null_as(deserializer, empty_object)
}

fn on_fail<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OnFail, D::Error> {
    null_as(deserializer, OnFail::reject)
}

fn on_error<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OnError, D::Error> {
    null_as(deserializer, OnError::review)
}

fn when_missing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WhenMissing, D::Error> {
    null_as(deserializer, WhenMissing::fail)
}

// What a rule means that does not say.
impl OnFail {
    fn reject() -> Self {
        Self::Reject
    }
}
impl OnError {
    fn review() -> Self {
        Self::Review
    }
}
impl WhenMissing {
    fn fail() -> Self {
        Self::Fail
    }
}

impl RuleInput {
    /// One to begin with: the sender must be found.
    pub fn blank() -> Self {
        Self {
            intent_id: None,
            datasource_id: None,
            field_name: "sender_email".to_owned(),
            rule_type: RuleType::Exists,
            conditions: empty_object(),
            priority: default_priority(),
            is_active: true,
            on_fail: OnFail::Reject,
            on_error: OnError::Review,
            when_missing: WhenMissing::Fail,
            stop: false,
            tenant_id: None,
            rule_id: None,
            created_at: IgnoredAny,
            updated_at: IgnoredAny,
        }
    }

    /// The checks that need neither datasource nor intent.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(&self, tenant: &TenantId) -> Result<(), Problem> {
        let mut checks = Checks::default();
        checks.same_tenant(self.tenant_id.as_deref(), tenant);
        if !crate::shared::template::is_field_name(&self.field_name) {
            checks.fault("field_name", format!("'{}' is not a field name", self.field_name));
        }
        if !self.conditions.is_object() {
            checks.fault("conditions", "must be an object");
        }
        if matches!(self.rule_type, RuleType::Exists | RuleType::NotExists) && self.datasource_id.is_none() {
            checks.fault(
                "datasource_id",
                format!("is needed: a rule of the type {} looks something up", self.rule_type),
            );
        }
        checks.finish()
    }
}

impl From<ValidationRule> for RuleInput {
    /// What of a rule can be changed, and its id.
    fn from(rule: ValidationRule) -> Self {
        Self {
            datasource_id: rule.datasource_id,
            field_name: rule.field_name,
            rule_type: rule.rule_type,
            conditions: rule.conditions,
            priority: rule.priority,
            is_active: rule.is_active,
            on_fail: rule.on_fail,
            on_error: rule.on_error,
            when_missing: rule.when_missing,
            stop: rule.stop,
            rule_id: Some(rule.rule_id),
            ..Self::blank()
        }
    }
}

/// A place in the list of rules: that of the rule after which it goes on. Written as `intent_priority_rule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCursor {
    pub intent_id: IntentId,
    pub priority: i32,
    pub rule_id: RuleId,
}

impl RuleCursor {
    pub fn of(rule: &ValidationRule) -> Self {
        Self { intent_id: rule.intent_id, priority: rule.priority, rule_id: rule.rule_id }
    }
}

impl std::fmt::Display for RuleCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}_{}", self.intent_id, self.priority, self.rule_id)
    }
}

impl std::str::FromStr for RuleCursor {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '_');
        let mut next = || parts.next().unwrap_or_default();
        Ok(Self { intent_id: next().parse()?, priority: next().parse()?, rule_id: next().parse()? })
    }
}
