//! Wire types of how long messages are kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use crate::shared::Problem;

/// Ten years.
pub const MOST_DAYS: i32 = 3_650;

/// Messages that would go are counted so far.
pub const MOST_COUNTED: i64 = 10_000;

/// How long a tenant's messages are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema, sqlx::FromRow))]
pub struct Retention {
    /// Days from the arrival of a message; `null` for ever. What waits for a person is kept for twice as long.
    pub message_days: Option<i32>,
    /// `null` where nobody has said yet.
    pub changed_at: Option<DateTime<Utc>>,
}

/// The body of `PUT /api/retention`. What is only read may stand in it, and is ignored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"message_days": 90}))))]
pub struct RetentionInput {
    /// Days from the arrival of a message, 1 to 3650; `null` for ever.
    // With a function of its own a missing member is an error, and not the same as `null`.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "ssr", schema(required = true, minimum = 1, maximum = 3650))]
    pub message_days: Option<i32>,
    #[serde(default, skip_serializing)]
    pub changed_at: IgnoredAny,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    Option::deserialize(deserializer)
}

impl RetentionInput {
    pub fn of(message_days: Option<i32>) -> Self {
        Self { message_days, changed_at: IgnoredAny }
    }

    /// As a form has it: the empty text is for ever.
    ///
    /// # Errors
    /// 422.
    pub fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self::of(match text.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| invalid())?),
        }))
    }

    /// # Errors
    /// 422.
    pub fn validate(self) -> Result<(), Problem> {
        match self.message_days {
            Some(days) if !(1..=MOST_DAYS).contains(&days) => Err(invalid()),
            _ => Ok(()),
        }
    }
}

fn invalid() -> Problem {
    Problem::invalid_field("message_days", format!("must be a whole number from 1 to {MOST_DAYS}"))
}

/// What the settings page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionShown {
    pub retention: Retention,
    pub etag: String,
}

/// What another number of days would come to, if it were stored now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPlan {
    pub message_days: Option<i32>,
    /// As it is now.
    pub before: Option<i32>,
    /// Messages that would go at once; more than `MOST_COUNTED` are not counted on.
    pub would_go: i64,
}

impl RetentionPlan {
    pub fn is_same(self) -> bool {
        self.message_days == self.before
    }

    /// Whether messages go that would have stayed.
    pub fn is_shorter(self) -> bool {
        let days = |of: Option<i32>| of.unwrap_or(i32::MAX);
        days(self.message_days) < days(self.before)
    }

    /// How many would go, in words.
    pub fn messages(self) -> String {
        match self.would_go {
            1 => "1 message".into(),
            count if count > MOST_COUNTED => "10,000+ messages".into(),
            count => format!("{count} messages"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_days_is_whole_and_between_one_and_ten_years() {
        let read = |text| RetentionInput::read(text).and_then(|input| input.validate().map(|()| input));
        for (text, days) in [("", None), (" 90 ", Some(90)), ("1", Some(1)), ("3650", Some(3_650))] {
            assert_eq!(read(text).map(|input| input.message_days), Ok(days), "{text}");
        }
        for text in ["0", "-1", "3651", "1.5", "90 days", "99999999999"] {
            let problem = read(text).expect_err(text);
            assert_eq!((problem.status, problem.errors[0].field.as_str()), (422, "message_days"), "{text}");
        }
    }

    #[test]
    fn for_ever_is_longer_than_any_number() {
        let plan = |message_days, before| RetentionPlan { message_days, before, would_go: 0 }.is_shorter();
        assert!(plan(Some(90), None) && plan(Some(89), Some(90)));
        assert!(!plan(None, Some(90)) && !plan(Some(90), Some(90)) && !plan(Some(91), Some(90)));
    }

    #[test]
    fn what_is_not_counted_on_is_more() {
        let words = |would_go| RetentionPlan { message_days: Some(1), before: None, would_go }.messages();
        let counts = [0, 1, 2, MOST_COUNTED, MOST_COUNTED + 1].map(words);
        assert_eq!(counts, ["0 messages", "1 message", "2 messages", "10000 messages", "10,000+ messages"]);
    }
}
