//! What differs between what is there and what is wanted. Pure: nothing is asked or stored here.

use serde::Serialize;
use serde_json::{Map, Value};

use super::document::{ConfigEntry, RouteEntry, RuleEntry};
use crate::{
    datasources::{dto::MASK, server::connection},
    routes::dto::RouteKind,
    server::same::is_same,
    transfer::dto::{Action, Change, Kind},
};

/// Members whose own members are compared one by one.
const NESTED: [&str; 5] = ["auth_config", "connection_json", "match", "conditions", "settings"];
/// Members that stand in a plan as things of their own, or beside it.
const APART: [&str; 3] = ["name", "validation_rules", "examples"];

/// The members of an entry by their names, as in `conditions.query`.
pub fn members<T: Serialize>(entry: &T) -> Map<String, Value> {
    let Ok(Value::Object(all)) = serde_json::to_value(entry) else { return Map::new() };
    let mut flat = Map::new();
    for (name, value) in all {
        match value {
            _ if APART.contains(&name.as_str()) => {}
            Value::Object(inner) if NESTED.contains(&name.as_str()) => {
                flat.extend(inner.into_iter().map(|(member, value)| (format!("{name}.{member}"), value)));
            }
            value => drop(flat.insert(name, value)),
        }
    }
    flat
}

/// A change as a plan shows it: of `before`, if it is there, to `after`. `entered` are members that were given anew and
/// whose values are shown to nobody, so that they count as changed.
pub fn change(
    kind: Kind,
    name: &str,
    before: Option<Map<String, Value>>,
    after: Map<String, Value>,
    entered: &[String],
) -> Change {
    let mut change = Change {
        action: Action::Create,
        kind,
        name: name.to_owned(),
        fields: Vec::new(),
        before: None,
        after: None,
        notes: Vec::new(),
    };
    let Some(before) = before else {
        change.after = Some(after);
        return change;
    };
    let absent = Value::Null;
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    change.fields = names
        .filter(|name| {
            let (old, new) = (before.get(*name), after.get(*name));
            entered.contains(name)
                // `null` is what an empty column should be, and not the same as left out.
                || (name.as_str() == "conditions.expected" && old.is_some() != new.is_some())
                || !is_same(old.unwrap_or(&absent), new.unwrap_or(&absent))
        })
        .cloned()
        .collect();
    let part = |of: &Map<String, Value>| {
        change.fields.iter().map(|name| (name.clone(), of.get(name).cloned().unwrap_or_default())).collect()
    };
    if change.fields.is_empty() {
        change.action = Action::Same;
    } else {
        (change.before, change.after) = (Some(part(&before)), Some(part(&after)));
        change.action = Action::Change;
    }
    change
}

/// The end of something.
pub fn deletion<T: Serialize>(kind: Kind, name: &str, entry: &T) -> Change {
    Change {
        action: Action::Delete,
        kind,
        name: name.to_owned(),
        fields: Vec::new(),
        before: Some(members(entry)),
        after: None,
        notes: Vec::new(),
    }
}

/// What an import does with a config, and the members of `auth_config` to store: masked ones keep what is there.
pub fn config(wanted: &ConfigEntry, stored: Option<&ConfigEntry>) -> (Change, Map<String, Value>) {
    let is_stored = |name: &String| stored.is_some_and(|stored| stored.auth_config.contains_key(name));
    let auth = match stored {
        Some(stored) if wanted.auth_config.is_empty() && stored.auth_type == wanted.auth_type => {
            stored.auth_config.clone()
        }
        _ => wanted.auth_config.clone(),
    };
    let entered: Vec<String> = auth
        .iter()
        .filter(|(_, value)| *value != MASK)
        .map(|(name, _)| format!("auth_config.{name}"))
        .collect();
    let (has, lacks): (Map<_, _>, Map<_, _>) =
        auth.clone().into_iter().partition(|(name, value)| value != MASK || is_stored(name));
    let has: Map<String, Value> = has.into_iter().map(|(name, _)| (name, MASK.into())).collect();
    // What is masked tells which members are needed: an API key goes into a header or into the query.
    let mut missing: Vec<&str> = connection::missing(wanted.auth_type, |name| auth.contains_key(name));
    missing.extend(lacks.keys().map(String::as_str));
    let shown = ConfigEntry { auth_config: has, ..wanted.clone() };
    let mut change = change(Kind::Config, &wanted.name, stored.map(members), members(&shown), &entered);
    if !missing.is_empty() {
        change.notes.push(format!(
            "needs its secret set: auth_config.{}. Look-ups fail until it is",
            missing.join(", auth_config.")
        ));
    }
    (change, auth)
}

/// What an import does with a route, and the settings to store: a header's masked value keeps what is there, or, of a new
/// route, is to be set later. One that the route does not have is left out, since it was taken from it: it works without.
pub fn route(wanted: &RouteEntry, stored: Option<&RouteEntry>) -> (Change, Map<String, Value>) {
    let mut settings = wanted.settings.clone();
    let mut shown = wanted.clone();
    let (mut entered, mut lacks, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(Value::Object(headers)) = settings.get_mut("headers") {
        let there = stored.and_then(|stored| stored.settings.get("headers")).and_then(Value::as_object);
        let mut masked = Map::new();
        headers.retain(|name, value| {
            let kept = there.and_then(|there| there.get(name)).and_then(Value::as_str);
            let (is_masked, is_empty) = (value == MASK, value == "");
            let stays_unset = kept == Some("") && (is_masked || is_empty);
            if is_masked && stored.is_some() && kept.is_none() {
                left_out.push(name.clone());
                return false;
            }
            // As a route has it whose header is to be set: empty.
            if stays_unset || (is_masked && stored.is_none()) {
                lacks.push(name.clone());
                masked.insert(name.clone(), "".into());
            } else {
                masked.insert(name.clone(), MASK.into());
                if !is_masked {
                    entered.push("settings.headers".to_owned());
                }
            }
            true
        });
        if masked.is_empty() {
            settings.remove("headers");
            shown.settings.remove("headers");
        } else {
            shown.settings.insert("headers".into(), masked.into());
        }
    }
    let mut change = change(Kind::Route, &wanted.name, stored.map(members), members(&shown), &entered);
    if !lacks.is_empty() {
        change.notes.push(format!(
            "needs its secret set: the header {}. What it has to send waits until it is; what waits for too long is given up, \
             and can be sent again",
            lacks.join(", ")
        ));
    }
    if !left_out.is_empty() {
        change.notes.push(format!(
            "goes on without the header {}, whose value is not in the document: if it needs it, add it on its page",
            left_out.join(", ")
        ));
    }
    if stored.is_none() && wanted.kind == RouteKind::Webhook {
        let note = "signs with a new secret, which nobody has seen, so a receiver that checks signatures takes nothing: make a \
                    new one on its page, to be shown it";
        change.notes.push(note.into());
    }
    (change, settings)
}

/// A rule has no name of its own.
pub fn rule_name(intent: &str, rule: &RuleEntry) -> String {
    match &rule.datasource {
        Some(datasource) => format!("{intent}: {} {} in {datasource}", rule.field_name, rule.rule_type),
        None => format!("{intent}: {} {}", rule.field_name, rule.rule_type),
    }
}

/// Which stored rule a wanted one is: the same, or else the nearest that is left. Gives, for each wanted rule, the place
/// of the stored one.
pub fn pair(stored: &[RuleEntry], wanted: &[RuleEntry]) -> Vec<Option<usize>> {
    let (old, new): (Vec<_>, Vec<_>) =
        (stored.iter().map(members).collect(), wanted.iter().map(members).collect());
    let steps: [&dyn Fn(usize, usize) -> bool; 3] = [
        &|s, w| is_same(&Value::Object(old[s].clone()), &Value::Object(new[w].clone())),
        &|s, w| {
            let (s, w) = (&stored[s], &wanted[w]);
            (&s.field_name, s.rule_type, &s.datasource) == (&w.field_name, w.rule_type, &w.datasource)
        },
        &|s, w| stored[s].field_name == wanted[w].field_name,
    ];
    let mut pairs = vec![None; wanted.len()];
    let mut is_free = vec![true; stored.len()];
    for is_near in steps {
        for (w, pair) in pairs.iter_mut().enumerate().filter(|(_, pair)| pair.is_none()) {
            *pair = (0..stored.len()).find(|s| is_free[*s] && is_near(*s, w));
            if let Some(s) = *pair {
                is_free[s] = false;
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::datasources::dto::AuthType;

    fn rule(field: &str, query: &str, priority: i32) -> RuleEntry {
        let entry = json!({"field_name": field, "rule_type": "exists", "datasource": "S", "conditions": {"query": query}, "priority": priority});
        serde_json::from_value(entry).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_rule_is_the_nearest_of_those_that_are_left() {
        let stored = [rule("a", "1", 1), rule("a", "2", 2), rule("b", "3", 3)];
        let moved = [rule("a", "2", 2), rule("a", "1", 9), rule("c", "3", 3)];
        assert_eq!(pair(&stored, &moved), [Some(1), Some(0), None]);
        assert_eq!(pair(&stored, &[]), []);
        assert_eq!(pair(&[], &moved), [None, None, None]);
        let twice = [rule("a", "1", 1), rule("a", "1", 1)];
        assert_eq!(pair(&stored[..1], &twice), [Some(0), None]);
    }

    #[test]
    fn a_change_names_what_differs_and_nothing_else() {
        let found = change(
            Kind::Rule,
            "x",
            Some(members(&rule("a", "SELECT 1", 10))),
            members(&rule("a", "SELECT 2", 20)),
            &[],
        );
        assert_eq!(found.action, Action::Change);
        assert_eq!(found.fields, ["conditions.query", "priority"]);
        assert_eq!(
            Value::from(found.before.unwrap_or_default()),
            json!({"conditions.query": "SELECT 1", "priority": 10})
        );
    }

    #[test]
    fn a_header_is_kept_entered_or_to_be_set() {
        let entry = |headers: Value| -> RouteEntry {
            let settings = json!({"url": "https://a.example", "headers": headers});
            let entry =
                json!({"name": "r", "kind": "webhook", "decisions": ["review"], "settings": settings});
            serde_json::from_value(entry).unwrap_or_else(|error| panic!("{error}"))
        };
        let (set, unset) = (entry(json!({"X": MASK})), entry(json!({"X": ""})));
        let needed = [
            "needs its secret set: the header X. What it has to send waits until it is; what waits for too long is \
             given up, and can be sent again",
        ];
        let left_out = [
            "goes on without the header Y, whose value is not in the document: if it needs it, add it on its page",
        ];
        for (wanted, stored, action, notes) in [
            (json!({"X": MASK}), &set, Action::Same, &needed[..0]),
            (json!({"X": "S3CRET"}), &set, Action::Change, &needed[..0]),
            (json!({"X": ""}), &set, Action::Change, &needed[..0]),
            (json!({"X": MASK}), &unset, Action::Same, &needed[..]),
            (json!({"X": ""}), &unset, Action::Same, &needed[..]),
            (json!({"X": "S3CRET"}), &unset, Action::Change, &needed[..0]),
            (json!({"X": MASK, "Y": "S3CRET"}), &unset, Action::Change, &needed[..]),
            (json!({"X": MASK, "Y": MASK}), &set, Action::Same, &left_out[..]),
        ] {
            let (change, settings) = route(&entry(wanted.clone()), Some(stored));
            assert_eq!(change.action, action, "{wanted}");
            assert_eq!(change.notes, notes, "{wanted}");
            assert!(!format!("{change:?}").contains("S3CRET"));
            let mut kept = wanted;
            if notes == left_out {
                kept = json!({"X": MASK});
            }
            assert_eq!(settings["headers"], kept);
        }
        let (_, settings) = route(&entry(json!({"Y": MASK})), Some(&entry(json!({}))));
        assert_eq!(settings.get("headers"), None);
        let (created, settings) = route(&entry(json!({"X": MASK})), None);
        assert_eq!(settings["headers"], json!({"X": MASK}));
        assert_eq!(
            (created.action, created.notes.len(), &created.notes[0][..]),
            (Action::Create, 2, needed[0])
        );
    }

    #[test]
    fn a_secret_is_kept_or_missing_and_never_shown() {
        let entry = |auth_type: AuthType, auth: Value| ConfigEntry {
            name: "c".into(),
            protocol: "http".into(),
            driver_family: String::new(),
            base_url: Some("http://a.example".into()),
            auth_type,
            auth_config: auth.as_object().cloned().unwrap_or_default(),
            connection_json: Map::new(),
        };
        let stored = entry(AuthType::Bearer, json!({"token": MASK}));
        for (wanted, action, fields, notes) in [
            (json!({}), Action::Same, vec![], 0),
            (json!({"token": MASK}), Action::Same, vec![], 0),
            (json!({"token": "S3CRET"}), Action::Change, vec!["auth_config.token"], 0),
        ] {
            let (change, _) = config(&entry(AuthType::Bearer, wanted), Some(&stored));
            assert_eq!((change.action, change.notes.len()), (action, notes));
            assert_eq!(change.fields, fields);
            assert!(!format!("{change:?}").contains("S3CRET"));
        }
        let (change, auth) = config(&entry(AuthType::Bearer, json!({"token": MASK})), None);
        assert_eq!((change.action, change.notes.len(), auth.len()), (Action::Create, 1, 1));
        for (wanted, needed) in [
            (json!({"key": MASK, "query": MASK}), "auth_config.key, auth_config.query"),
            (json!({"header": MASK, "key": MASK}), "auth_config.header, auth_config.key"),
            (json!({"key": MASK}), "auth_config.header, auth_config.key"),
        ] {
            let (change, _) = config(&entry(AuthType::ApiKey, wanted), None);
            assert_eq!(change.notes, [format!("needs its secret set: {needed}. Look-ups fail until it is")]);
        }
        let (change, _) = config(&entry(AuthType::Basic, json!({})), Some(&stored));
        assert_eq!(change.fields, ["auth_type", "auth_config.token"]);
        assert_eq!(
            change.notes,
            ["needs its secret set: auth_config.username, auth_config.password. Look-ups fail until it is"]
        );
    }
}
