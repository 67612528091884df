//! The document: a tenant's configuration, names in the place of ids, so that it can be kept in git and be taken in
//! by another tenant.
//!
//! A section that is left out is not touched by an import. No secret is written into it: members of `auth_config` and
//! a webhook's headers have the mask for a value, and signing secrets do not stand in it at all. It names no tenant.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    datasources::dto::{AuthType, DatasourceType},
    emails::dto::Decision,
    intents::dto::{Extractor, MatchConditions},
    routes::dto::RouteKind,
    rules::dto::{OnError, OnFail, RuleType, WhenMissing},
    server::{
        Error, Result,
        extract::{exact, fault, parse_json, refuse_nul},
    },
    shared::{
        Problem,
        validate::{default_priority, yes},
    },
    transfer::dto::{Format, MAX_DOCUMENT},
};

/// The form that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Like every type here without `Debug`: a document that was sent in may hold secrets.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Configuration)]
pub struct Document {
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasource_configs: Option<Vec<ConfigEntry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasources: Option<Vec<DatasourceEntry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intents: Option<Vec<IntentEntry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<RouteEntry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<ClassifierEntry>,
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigEntry {
    pub name: String,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub driver_family: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(default = "no_auth")]
    pub auth_type: AuthType,
    /// A masked member keeps what is stored. Without any, all that is stored for the same `auth_type` is kept.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub auth_config: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub connection_json: Map<String, Value>,
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasourceEntry {
    pub name: String,
    pub datasource_type: DatasourceType,
    pub connection_key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default = "yes")]
    pub is_active: bool,
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentEntry {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default = "yes")]
    pub is_active: bool,
    #[serde(default = "default_priority")]
    pub priority: i32,
    #[serde(default, rename = "match")]
    pub conditions: MatchConditions,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extractors: Vec<Extractor>,
    /// All of them, by priority: a rule has no name by which it could be kept beside others. Left out, the intent's
    /// rules are not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_rules: Option<Vec<RuleEntry>>,
    /// Texts that somebody wrote for the classifier. Left out, those that are there stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<Vec<String>>,
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    pub field_name: String,
    pub rule_type: RuleType,
    /// By name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasource: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub conditions: Map<String, Value>,
    #[serde(default = "default_priority")]
    pub priority: i32,
    #[serde(default = "yes")]
    pub is_active: bool,
    #[serde(default = "reject")]
    pub on_fail: OnFail,
    #[serde(default = "review")]
    pub on_error: OnError,
    #[serde(default = "fail")]
    pub when_missing: WhenMissing,
    #[serde(default)]
    pub stop: bool,
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    pub name: String,
    /// By name; left out for every intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    pub kind: RouteKind,
    pub decisions: Vec<Decision>,
    pub settings: Map<String, Value>,
    #[serde(default = "yes")]
    pub is_active: bool,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassifierEntry {
    pub gate: f64,
}

// What an entry means that does not say: the same as in the bodies of the REST calls.
fn no_auth() -> AuthType {
    AuthType::None
}
fn reject() -> OnFail {
    OnFail::Reject
}
fn review() -> OnError {
    OnError::Review
}
fn fail() -> WhenMissing {
    WhenMissing::Fail
}

/// What stands above a document in YAML.
const HEAD: &str =
    "# A configuration of FlowEngine. Secrets are masked, and an import keeps those that are stored.\n";

/// Writes a document down: the same document always as the same bytes.
///
/// # Errors
/// Where it cannot be written, which is a fault of ours.
pub fn print(document: &Document, format: Format) -> Result<String> {
    match format {
        Format::Json => Ok(serde_json::to_string_pretty(document).map_err(Error::internal)? + "\n"),
        Format::Yaml => {
            // A text is never folded: a changed word would change the lines after it too.
            let options = serde_saphyr::ser_options! { folded_wrap_chars: 1 << 30 };
            let text = serde_saphyr::to_string_with_options(document, options).map_err(Error::internal)?;
            Ok(format!("{HEAD}{text}"))
        }
    }
}

/// Reads a document strictly.
///
/// # Errors
/// 413 where it is too large, 422 naming the path of the fault within it.
pub fn parse(bytes: &[u8], format: Format) -> Result<Document, Problem> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(too_large());
    }
    let document: Document = match format {
        Format::Json => parse_json(bytes)?,
        Format::Yaml => parse_yaml(bytes)?,
    };
    if document.version != VERSION {
        return Err(Problem::invalid_field("version", format!("must be {VERSION}")));
    }
    Ok(document)
}

pub fn too_large() -> Problem {
    Problem::new(413, format!("The document is larger than {MAX_DOCUMENT} bytes"))
}

fn parse_yaml(bytes: &[u8]) -> Result<Document, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::invalid_field("body", "must be UTF-8"))?;
    let options = serde_saphyr::options! {
        // A document has few levels and needs no anchors. What aliases stand for counts as often as it is named.
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_documents: 1,
            max_anchors: 100,
            max_aliases: 100,
            max_nodes: 400_000,
            max_recorded_anchor_events: 10_000,
            max_recorded_anchor_bytes: 1 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::Reject,
        // `no` is a text, and 0042 an order's number.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let mut path = String::from(".");
    let again = options.clone();
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    });
    let document: Document = parsed.map_err(|error| yaml_fault(&path, &error.to_string()))?;
    // In YAML a NUL can be written in more than one way, so what was read is looked at.
    refuse_nul(&serde_json::to_vec(&document).unwrap_or_default())?;
    let kept = serde_json::to_value(&document).unwrap_or_default();
    let altered = serde_saphyr::with_deserializer_from_str_with_options(text, again, |deserializer| {
        exact::altered_in(&kept, deserializer)
    });
    match altered {
        Ok(Some(field)) => Err(exact::refused(field)),
        Ok(None) => Ok(document),
        // A number with a tag is none to whoever reads it as it is written.
        Err(_) => Err(Problem::invalid_field(
            "body",
            "holds a number with a tag, such as !!float: write it without",
        )),
    }
}

/// `message` in the words of whoever writes documents, not of whoever writes parsers.
fn yaml_fault(path: &str, message: &str) -> Problem {
    let path = path.strip_suffix(".?").unwrap_or(path);
    let message = message.replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    match message.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split_once(" at ")) {
        Some((name, place)) => fault(path, &format!("duplicate field `{name}` at {place}")),
        None => fault(path, &message),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{num::f64 as num, prelude::*};
    use serde_json::json;

    use super::*;
    use crate::server::same::is_same;

    fn faults(text: &str) -> Vec<(String, String)> {
        match parse(text.as_bytes(), Format::Yaml) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|error| (error.field, error.message)).collect(),
        }
    }

    #[test]
    fn a_fault_is_named_by_its_path() {
        for (text, field) in [
            ("version: 2", "version"),
            ("intents: []", "version"),
            ("version: 1\nintent: []", "intent"),
            ("version: 1\nintents:\n- name: A\n  colour: red", "intents[0].colour"),
            ("version: 1\nintents:\n- name: A\n  priority: high", "intents[0].priority"),
            (
                "version: 1\nintents:\n- name: A\n  validation_rules:\n  - field_name: subject",
                "intents[0].validation_rules[0].rule_type",
            ),
            ("version: 1\nintents:\n- name: A\n  is_active: yes", "intents[0].is_active"),
            ("version: 1\nroutes:\n- {name: A, name: B}", "routes[0].name"),
            ("version: 1\nintents:\n- name: \"A\\0\"", "intents[0].name"),
            ("version: 1\n---\nversion: 1", "body"),
            ("version: [", "version"),
            ("", "body"),
            ("- 1", "body"),
            ("version: 1\nintents:\n- <<: {name: A}", "intents[0]"),
        ] {
            let found = faults(text);
            let named = found.iter().any(|(name, _)| name == field);
            assert!(named, "{text:?} should name {field}: {found:?}");
        }
    }

    #[test]
    fn a_number_that_would_not_be_kept_is_refused_in_either_form() {
        let rule = |format: Format, number: &str| {
            let text = match format {
                Format::Json => format!(
                    r#"{{"version": 1, "intents": [{{"name": "A", "validation_rules": [
                       {{"field_name": "subject", "rule_type": "equals", "conditions": {{"expected": {number}}}}}]}}]}}"#
                ),
                Format::Yaml => format!(
                    "version: 1\nclassifier: {{gate: 0.90}}\nintents:\n- name: A\n  validation_rules:\n  - field_name: subject\n    \
                     rule_type: equals\n    conditions: {{expected: {number}}}"
                ),
            };
            parse(text.as_bytes(), format).err().map(|problem| problem.errors[0].field.clone())
        };
        for format in [Format::Json, Format::Yaml] {
            for number in ["123456789012345678901234567890", "0.12345678901234567890123"] {
                let field = "intents[0].validation_rules[0].conditions.expected";
                assert_eq!(rule(format, number).as_deref(), Some(field), "{number}");
            }
            for number in ["1.10", "1e3", "18446744073709551615", "\"123456789012345678901234567890\""] {
                assert_eq!(rule(format, number), None, "{number}");
            }
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut laughs = String::from(
            "version: 1\nroutes:\n- name: A\n  kind: label\n  decisions: []\n  settings:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n",
        );
        for i in 1..10 {
            let inner = vec![format!("*a{}", i - 1); 10].join(", ");
            laughs.push_str(&format!("    a{i}: &a{i} [{inner}]\n"));
        }
        let deep = format!("version: 1\nroutes: {}{}", "[".repeat(100_000), "]".repeat(100_000));
        let block = {
            let mut text =
                String::from("version: 1\nroutes:\n- name: A\n  kind: label\n  decisions: []\n  settings:\n");
            for i in 0..1_000 {
                text.push_str(&format!("{}a:\n", " ".repeat(4 + i)));
            }
            text
        };
        let many = format!("version: 1\nintents: [{}]", "{},".repeat(300_000));
        let long_key = format!("version: 1\n? {}\n: 1", "[".repeat(50_000));
        for text in [laughs, deep, block, many, long_key] {
            let started = std::time::Instant::now();
            assert!(!faults(&text).is_empty());
            assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        }
        let deep = format!("{{\"version\": 1, \"routes\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(deep.as_bytes(), Format::Json).is_err());
        let huge = "#".repeat(MAX_DOCUMENT + 1);
        assert_eq!(parse(huge.as_bytes(), Format::Yaml).err().map(|problem| problem.status), Some(413));
    }

    #[test]
    fn what_looks_like_something_else_stays_what_it_is() {
        let text = "version: 1\nroutes:\n- name: 42\n  kind: label\n  decisions: [review]\n  settings: {a: no, b: 0042, c: 1_000, d: 2026-01-31, e: 1.5, f: true, g: null, h: '1', i: 12:30:45}";
        let document = parse(text.as_bytes(), Format::Yaml).unwrap_or_else(|problem| panic!("{problem}"));
        let route = &document.routes.unwrap_or_default()[0];
        assert_eq!(route.name, "42");
        let expected = json!({"a": "no", "b": "0042", "c": "1_000", "d": "2026-01-31", "e": 1.5, "f": true, "g": null, "h": "1", "i": "12:30:45"});
        assert_eq!(Value::Object(route.settings.clone()), expected);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Subnormal numbers (below 2.3e-308) do not come back as they were; nobody configures them.
            (num::POSITIVE | num::NEGATIVE | num::NORMAL | num::ZERO).prop_map(Value::from),
            any_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((any_text(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,20}",
            "[ \\n\\t\\r:#'\"\\\\|>&*!%@`\\-?,\\[\\]{}a-c~=0-9.]{0,12}",
            "(null|~|yes|no|on|off|true|NaN|\\.inf|0x1f|0o7|1e3|1_000|<<|=|---|\\.\\.\\.|12:30|2026-01-31)",
            "([a-z ]{0,90}\\n){0,3}",
            "[\\x01-\\x1f\\x7f-\\xa0\u{2028}\u{feff}]{0,6}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read_as_it_was(name in any_text(), value in any_value(), gate in 0.5_f64..=1.0) {
            let mut settings = Map::new();
            settings.insert(name.clone(), value);
            let route = RouteEntry {
                name: name.clone(),
                intent: Some(name),
                kind: RouteKind::Label,
                decisions: vec![Decision::Review],
                settings,
                is_active: true,
            };
            let document = Document {
                version: VERSION,
                datasource_configs: Some(Vec::new()),
                datasources: None,
                intents: None,
                routes: Some(vec![route]),
                classifier: Some(ClassifierEntry { gate }),
            };
            for format in [Format::Yaml, Format::Json] {
                let text = print(&document, format).unwrap_or_default();
                let read = parse(text.as_bytes(), format);
                let read = read.map_err(|problem| TestCaseError::fail(format!("{problem}\n{text}")))?;
                let (was, is) = (serde_json::to_value(&document), serde_json::to_value(&read));
                prop_assert!(is_same(&was.unwrap_or_default(), &is.unwrap_or_default()), "{}", text);
                if format == Format::Yaml {
                    prop_assert_eq!(print(&read, format).unwrap_or_default(), text);
                }
            }
        }
    }
}
