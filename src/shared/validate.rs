//! Checks of input that forms and the server share.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};

use super::{FieldError, Problem, TenantId};

/// Collects every fault of an input, so that all are named at once.
#[derive(Default, Debug)]
pub struct Checks {
    errors: Vec<FieldError>,
}

impl Checks {
    pub fn fault(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// A name that people read: trimmed, 1 to 200 characters, on one line. Unit: Unicode scalar values.
    pub fn name(&mut self, field: &str, value: &str) -> String {
        let value = value.trim();
        if value.is_empty() {
            self.fault(field, "must not be empty");
        } else if value.chars().count() > 200 {
            self.fault(field, "must have at most 200 characters");
        } else if value.chars().any(char::is_control) {
            self.fault(field, "must not hold control characters");
        }
        value.to_owned()
    }

    /// A person's address, in lower case. Whether mail reaches it is for a mail to show.
    pub fn email(&mut self, field: &str, value: &str) -> String {
        let value = value.trim().to_lowercase();
        let is_plain =
            |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        // RFC 5321, section 4.5.3.1: 64 for the part before the @, 254 in all.
        let holds = value.len() <= 254
            && value.rsplit_once('@').is_some_and(|(local, domain)| {
                is_plain(local)
                    && local.len() <= 64
                    && is_plain(domain)
                    && !local.contains(['@', '<', '>', ','])
            });
        if !holds {
            self.fault(field, "must be an address such as ada@acme.example");
        }
        value
    }

    /// Free text of at most `max` characters. PostgreSQL cannot store NUL.
    pub fn text(&mut self, field: &str, value: &str, max: usize) -> String {
        if value.contains('\0') {
            self.fault(field, "must not hold NUL");
        } else if value.chars().count() > max {
            self.fault(field, format!("must have at most {max} characters"));
        }
        value.to_owned()
    }

    /// A text that is looked for. PostgreSQL has none with NUL.
    pub fn asked_text(&mut self, field: &str, value: Option<&str>) {
        if value.is_some_and(|value| value.contains('\0')) {
            self.fault(field, "must not hold NUL");
        }
    }

    /// A time that is looked for. PostgreSQL has none before 4713 BC.
    pub fn asked_time(&mut self, field: &str, value: Option<DateTime<Utc>>) {
        if value.is_some_and(|value| !(0..=9999).contains(&value.year())) {
            self.fault(field, "must be within the years 0 to 9999");
        }
    }

    /// A body may repeat the tenant of its request; one that names another is a mistake to tell, not to ignore.
    pub fn same_tenant(&mut self, body: Option<&str>, request: &TenantId) {
        if body.is_some_and(|body| body != request.as_str()) {
            self.fault("tenant_id", "differs from the tenant_id of the request");
        }
    }

    /// Takes over the faults of a part, its fields below `prefix`.
    pub fn part<T>(&mut self, prefix: &str, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                for error in problem.errors {
                    self.fault(format!("{prefix}.{}", error.field), error.message);
                }
                None
            }
        }
    }

    /// Takes over the faults of a part whose fields are already named from the root.
    pub fn part_as_is<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.errors.extend(problem.errors);
                None
            }
        }
    }

    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// Whether a character beyond ASCII is one that people write: none that could not be read, and none that only says how others
/// are shown.
pub fn is_written(c: char) -> bool {
    let is_hidden = matches!(
        c,
        '\u{2000}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
    );
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_hidden
}

/// The default of `is_active`.
pub fn yes() -> bool {
    true
}

/// The default priority of intents and rules: between those that must come first and those that come last.
pub fn default_priority() -> i32 {
    100
}

/// Reads a member that may be left out. `null` is as if it were: many programs write all members that they know.
///
/// # Errors
/// The deserializer's.
pub fn null_as_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    null_as(deserializer, T::default)
}

/// As `null_as_default`, of what is `yes` by default.
///
/// # Errors
/// The deserializer's.
pub fn null_as_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    null_as(deserializer, yes)
}

/// As `null_as_default`, of a priority.
///
/// # Errors
/// The deserializer's.
pub fn null_as_default_priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    null_as(deserializer, default_priority)
}

/// As `null_as_default`, with a default of the caller's.
///
/// # Errors
/// The deserializer's.
pub fn null_as<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    default: fn() -> T,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(default))
}
