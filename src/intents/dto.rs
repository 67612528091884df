//! Wire types of intents, and the checks that forms and the server share.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use crate::{
    rules::dto::RuleInput,
    shared::{
        IntentId, Problem, TenantId,
        validate::{
            Checks, default_priority, null_as, null_as_default, null_as_default_priority, null_as_yes, yes,
        },
    },
};

/// What match conditions and extractors of an intent may have together, as JSON, in bytes: each message is held against
/// those of all the tenant's intents.
const MAX_MATCHING: usize = 64 << 10;

/// The fields that every message has (DESIGN, section 1). `header.<name>` comes beside them.
pub const MESSAGE_FIELDS: [&str; 19] = [
    "sender_email",
    "sender_domain",
    "sender_name",
    "recipient_email",
    "reply_to",
    "subject",
    "body",
    // The body without what it quotes of earlier messages.
    "new_text",
    "message_id",
    "received_at",
    "attachment_count",
    "attachment_names",
    // Those of messages that came by a mailbox.
    "mailbox",
    "envelope_from",
    "envelope_to",
    "spf",
    "dkim",
    "dmarc",
    "arc",
];

/// Whether every message can have this field, extractors aside.
pub fn is_message_field(name: &str) -> bool {
    MESSAGE_FIELDS.contains(&name)
        || (name.starts_with("header.") && crate::shared::template::is_field_name(name))
}

/// Whether the messages of an intent with these extractors can have this field.
pub fn is_field(extractors: &[Extractor], name: &str) -> bool {
    is_message_field(name) || extractors.iter().any(|extractor| extractor.name == name)
}

/// A category of email.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Intent {
    pub intent_id: IntentId,
    pub tenant_id: TenantId,
    pub name: String,
    pub description: String,
    pub is_active: bool,
    /// Intents are tried lowest first.
    pub priority: i32,
    #[serde(rename = "match")]
    pub conditions: MatchConditions,
    pub extractors: Vec<Extractor>,
    /// Raised by each change of the intent or of its rules.
    pub version: i32,
    /// Of today, in an earlier version too.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub examples_count: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// When a message gets the intent: one of `any` (where there are any), each of `all`, and none of `none`.
/// Without a condition in `any` or `all` a message gets it only by its examples, by a person, or by the program that hands it in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MatchConditions {
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_items = 100))]
    pub any: Vec<Condition>,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_items = 100))]
    pub all: Vec<Condition>,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_items = 100))]
    pub none: Vec<Condition>,
}

/// One comparison of a field, without regard to case. Where a header field stands several times in the message, one of
/// `none` holds for any of its values; one of `all` or `any` for all of them, but `contains` for any, and each of those
/// that every server on the way may add (`received`, `authentication-results` and such).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::message_field))]
    pub field: String,
    pub op: MatchOp,
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 2000))]
    pub value: String,
}

crate::rules::dto::wire_enum!(
    MatchOp {
        Equals = "equals",
        Contains = "contains",
        StartsWith = "starts_with",
        EndsWith = "ends_with",
        Regex = "regex",
    }
);

impl MatchOp {
    /// As it reads in a sentence: `subject contains "invoice"`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::Contains => "contains",
            Self::StartsWith => "starts with",
            Self::EndsWith => "ends with",
            Self::Regex => "matches",
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} \"{}\"", self.field, self.op.words(), self.value)
    }
}

/// A pattern with one capture group over a part of the message, which gives the field `name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Extractor {
    #[cfg_attr(feature = "ssr", schema(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub name: String,
    /// A field of the message, or `subject_and_body`: the subject, a line break, the body. A header field that stands several
    /// times with different values gives no field, and rules on it fail; those that every server on the way may add are
    /// read together.
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::extracted_field))]
    pub field: String,
    /// A regular expression with one capture group.
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub pattern: String,
    /// What it is; a text that is none of that kind gives no field, and rules on it fail.
    #[serde(default = "FieldType::text", deserialize_with = "field_type", rename = "type")]
    #[cfg_attr(feature = "ssr", schema(default = "text"))]
    pub kind: FieldType,
    /// Whether there may be one value alone: where the pattern finds others as well, it gives no field, and rules on it fail.
    /// Otherwise the first that it finds is taken. Servers of before cannot read an intent that says so: update all of them
    /// first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "ssr", schema(default = false))]
    pub unique: bool,
}

fn field_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FieldType, D::Error> {
    null_as(deserializer, FieldType::text)
}

/// What an extractor found, or why it found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Extraction {
    pub name: String,
    pub field: String,
    pub pattern: String,
    pub value: Option<String>,
    pub why_not: Option<String>,
    /// Which other values the pattern finds, in words.
    #[serde(default)]
    pub others: Option<String>,
}

crate::rules::dto::wire_enum!(
    /// What a field holds, read without regard to country and kept in one form: `1234.5`, `2026-11-10`, `1234.5 EUR`. What can be
    /// read in two ways is not read. A stop, a comma or a semicolon at its end is passed by.
    ///
    /// - `number`: `1234.5`, `1,234.50`, `1.234,50`, `1 234,5`, `1'234.50`, `-3`, `12 %`. Not `1.234` or `1,234`, which may be
    ///   one and a bit or over a thousand; `0.125`, `1.2340` and `1,234,567` are clear.
    /// - `money`: such a number, with `EUR` or another code of three letters, `€`, `Euro`, `£`, `¥`, `₹`, `$` or `US$` on
    ///   either side, or none; also `12,- €` and `12.–`. Three digits after the only separator are thousands: `1.234 EUR` is
    ///   1234, but `0.900 EUR` and, of currencies with three decimals, `KWD 12.500` are not.
    /// - `date`: `2026-11-10`, `2026-11-10T08:15:00+01:00`, `Tue, 10 Nov 2026 08:15:00 +0000`, `10.11.2026`,
    ///   `10 November 2026`, `10. Nov. 2026`, `Nov 10th, 2026`, `10-Nov-2026`, the months in English, German and French.
    ///   `11/30/2026` and `30/11/2026`, but not `10/11/2026`. The day's name may stand before it (`Di, 10.11.2026`); of
    ///   `10.11.2026 14:30`, whose zone is not said, the day counts. The year has four digits.
    FieldType { Text = "text", Number = "number", Date = "date", Money = "money" }
);

impl FieldType {
    fn text() -> Self {
        Self::Text
    }

    /// A value of the kind, for trying things out.
    pub fn sample(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "1.5",
            Self::Date => "2026-01-31",
            Self::Money => "1.5 EUR",
        }
    }
}

/// The body of `POST` and `PUT` for intents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(json!({
        "name": "Order status",
        "description": "Asks where an order is.",
        "match": {"any": [{"field": "subject", "op": "contains", "value": "order"}]},
        "extractors": [{"name": "order_number", "field": "subject_and_body", "pattern": "order (\\d+)", "type": "number"}]
    })))
)]
pub struct IntentInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub description: String,
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    #[serde(default = "default_priority", deserialize_with = "null_as_default_priority")]
    #[cfg_attr(feature = "ssr", schema(default = 100))]
    pub priority: i32,
    #[serde(default, deserialize_with = "null_as_default", rename = "match")]
    pub conditions: MatchConditions,
    /// With `match` at most 65,536 bytes of JSON, and with those of all the tenant's intents at most 4,194,304.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_items = 50))]
    pub extractors: Vec<Extractor>,
    /// May repeat the tenant of the request, never name another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing)]
    pub intent_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub examples_count: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub version: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
}

impl IntentInput {
    /// One that has nothing but a name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            is_active: true,
            priority: default_priority(),
            conditions: MatchConditions::default(),
            extractors: Vec::new(),
            tenant_id: None,
            intent_id: IgnoredAny,
            examples_count: IgnoredAny,
            version: IgnoredAny,
            created_at: IgnoredAny,
            updated_at: IgnoredAny,
        }
    }

    /// All checks but those of regular expressions, which need the server's engine.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(mut self, tenant: &TenantId) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        checks.same_tenant(self.tenant_id.as_deref(), tenant);
        self.name = checks.name("name", &self.name);
        self.description = checks.text("description", &self.description, 2_000);
        let groups =
            [("any", &self.conditions.any), ("all", &self.conditions.all), ("none", &self.conditions.none)];
        for (group, conditions) in groups {
            if conditions.len() > 100 {
                checks.fault(format!("match.{group}"), "must have at most 100 conditions");
            }
            for (i, condition) in conditions.iter().enumerate() {
                let at = format!("match.{group}[{i}]");
                if !is_message_field(&condition.field) {
                    checks.fault(
                        format!("{at}.field"),
                        format!("'{}' is not a field of a message", condition.field),
                    );
                }
                if condition.value.is_empty() {
                    checks.fault(format!("{at}.value"), "must not be empty");
                }
                checks.text(&format!("{at}.value"), &condition.value, 2_000);
            }
        }
        if self.extractors.len() > 50 {
            checks.fault("extractors", "must be at most 50");
        }
        let matching = serde_json::to_vec(&(&self.conditions, &self.extractors));
        if matching.is_ok_and(|bytes| bytes.len() > MAX_MATCHING) {
            checks.fault("match", format!("must have at most {MAX_MATCHING} bytes, with the extractors"));
        }
        for (i, extractor) in self.extractors.iter().enumerate() {
            let name = extractor.name.as_str();
            let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.len() <= 63
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !well_formed {
                checks
                    .fault(format!("extractors[{i}].name"), "must be a lower-case word such as order_number");
            } else if is_message_field(name) {
                checks
                    .fault(format!("extractors[{i}].name"), format!("'{name}' is a field of every message"));
            } else if self.extractors[..i].iter().any(|other| other.name == name) {
                checks.fault(format!("extractors[{i}].name"), format!("'{name}' stands twice"));
            }
            if !is_message_field(&extractor.field) && extractor.field != "subject_and_body" {
                checks.fault(
                    format!("extractors[{i}].field"),
                    format!("'{}' is not a field of a message", extractor.field),
                );
            }
        }
        checks.finish()?;
        Ok(self)
    }
}

/// The body of `POST /api/intents/with-rules`: all of it is stored, or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(json!({
        "intent": {"name": "Change of address", "match": {"all": [{"field": "subject", "op": "contains", "value": "address"}]}},
        "validation_rules": [
            {"field_name": "sender_email", "rule_type": "regex", "conditions": {"pattern": "@acme\\.example$"}}
        ]
    })))
)]
pub struct IntentWithRulesInput {
    pub intent: IntentInput,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_items = 200))]
    pub validation_rules: Vec<RuleInput>,
}

/// The body of `PUT /api/intents/{intent_id}/with-rules`: what a `GET` of it gives. All rules must be said, since those
/// that are not named go.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "ssr",
    schema(examples(json!({
        "intent": {"name": "Change of address"},
        "validation_rules": [
            {"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "address"}}
        ]
    })))
)]
pub struct IntentWithRulesReplacement {
    pub intent: IntentInput,
    /// Empty for none.
    #[cfg_attr(feature = "ssr", schema(max_items = 200))]
    pub validation_rules: Vec<RuleInput>,
}

impl From<IntentWithRulesReplacement> for IntentWithRulesInput {
    fn from(said: IntentWithRulesReplacement) -> Self {
        Self { intent: said.intent, validation_rules: said.validation_rules }
    }
}

impl IntentWithRulesInput {
    /// One to begin with.
    pub fn blank() -> Self {
        Self { intent: IntentInput::named(""), validation_rules: Vec::new() }
    }

    /// All checks but those that need the server: patterns, look-ups, what is saved.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(self, tenant: &TenantId) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        let intent = checks.part("intent", self.intent.validate(tenant));
        for (i, rule) in self.validation_rules.iter().enumerate() {
            checks.part(&format!("validation_rules[{i}]"), rule.validate(tenant));
        }
        checks.finish()?;
        let intent = intent.ok_or_else(|| Problem::invalid_field("intent", "is missing"))?;
        Ok(Self { intent, validation_rules: self.validation_rules })
    }
}

impl From<IntentWithRules> for IntentWithRulesInput {
    /// As a draft to change: what is only read is left out, the ids of the rules stay.
    fn from(saved: IntentWithRules) -> Self {
        let IntentWithRules { intent, validation_rules } = saved;
        let intent = IntentInput {
            description: intent.description,
            is_active: intent.is_active,
            priority: intent.priority,
            conditions: intent.conditions,
            extractors: intent.extractors,
            ..IntentInput::named(&intent.name)
        };
        Self { intent, validation_rules: validation_rules.into_iter().map(RuleInput::from).collect() }
    }
}

/// An intent to edit, and the tag by which a later change of it is noticed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Editable {
    pub saved: IntentWithRules,
    pub etag: String,
    /// Why its rules can judge no message as they are stored: what is refused today may have been taken once.
    pub fault: Option<Problem>,
}

/// The answer to `POST /api/intents/with-rules`, and to `GET` and `PUT` of `/api/intents/{intent_id}/with-rules`: the rules by
/// priority.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct IntentWithRules {
    pub intent: Intent,
    pub validation_rules: Vec<crate::rules::dto::ValidationRule>,
}

/// A state of an intent and its rules. It outlives the intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct IntentVersion {
    pub intent_id: IntentId,
    pub version: i32,
    /// The state of all the tenant's intents that it first was a part of.
    pub revision: i64,
    /// Whether the intent ended with it.
    pub is_deleted: bool,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
}

/// A version with what it held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct IntentVersionDetail {
    #[serde(flatten)]
    pub version: IntentVersion,
    pub intent: Intent,
    pub validation_rules: Vec<crate::rules::dto::ValidationRule>,
}
