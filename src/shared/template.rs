//! `{{field}}` templates: values with holes for a message's fields, and nothing more.
//!
//! A template never reaches a position where its text is code: callers hand the rendered text to a SQL
//! parameter, an encoded URL part, a header or body value, or a comparison.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("'{{{{' at character {0} is not closed by '}}}}'")]
    Unclosed(usize),
    #[error("'{0}' is not a field name: letters, digits, '_', '-' and one '.' after 'header'")]
    BadName(String),
}

/// What a template may come to, in bytes: a message's fields can be long, and be named often.
pub const MAX_RENDERED: usize = 64 << 10;

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("no {0} in the message")]
    Missing(String),
    #[error("the value is longer than {MAX_RENDERED} bytes")]
    TooLong,
}

impl Template {
    /// The fields that it names, in order, repeats included.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Puts the fields in.
    ///
    /// # Errors
    /// The first field that `lookup` does not have; more than `MAX_RENDERED` bytes.
    pub fn render<'f>(&self, lookup: impl Fn(&str) -> Option<&'f str>) -> Result<String, RenderError> {
        let mut out = String::new();
        for part in &self.parts {
            let text = match part {
                Part::Text(text) => text,
                Part::Field(name) => lookup(name).ok_or_else(|| RenderError::Missing(name.clone()))?,
            };
            if out.len() + text.len() > MAX_RENDERED {
                return Err(RenderError::TooLong);
            }
            out.push_str(text);
        }
        Ok(out)
    }
}

/// The name that a field is kept by: RFC 5322 header names are case-insensitive, and kept in lower case.
pub fn field_key(name: &str) -> String {
    if name.starts_with("header.") { name.to_ascii_lowercase() } else { name.to_owned() }
}

/// Whether `name` has the form of a field name: `order_number`, or `header.` and an RFC 5322 header name.
pub fn is_field_name(name: &str) -> bool {
    let word = |text: &str, extra: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
    };
    match name.strip_prefix("header.") {
        Some(header) => word(header, b"-_"),
        None => word(name, b"_"),
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let inner = &rest[open + 2..];
            let Some(close) = inner.find("}}") else {
                let at = text.len() - rest.len() + open;
                return Err(TemplateError::Unclosed(text[..at].chars().count() + 1));
            };
            let name = inner[..close].trim();
            if !is_field_name(name) {
                return Err(TemplateError::BadName(name.to_owned()));
            }
            parts.push(Part::Field(field_key(name)));
            rest = &inner[close + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Field(name) => write!(f, "{{{{{name}}}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_put_in_and_missing_ones_named() {
        let template: Template = "order {{ order_number }} of {{sender_email}}".parse().expect("parses");
        assert_eq!(template.fields().collect::<Vec<_>>(), ["order_number", "sender_email"]);
        let rendered = template.render(|name| (name == "order_number").then_some("7"));
        assert_eq!(rendered, Err(RenderError::Missing("sender_email".into())));
        let bomb: Template = "{{body}}".repeat(100).parse().expect("parses");
        let long = "x".repeat(1_000);
        assert_eq!(bomb.render(|_| Some(&long)), Err(RenderError::TooLong));
        assert_eq!(template.render(|_| Some("x")).as_deref(), Ok("order x of x"));
    }

    #[test]
    fn what_a_field_holds_is_never_read_as_a_template() {
        let template: Template = "{{subject}}".parse().expect("parses");
        assert_eq!(template.render(|_| Some("{{body}}")).as_deref(), Ok("{{body}}"));
    }

    #[test]
    fn faults_are_named() {
        assert_eq!("é {{a".parse::<Template>(), Err(TemplateError::Unclosed(3)));
        for bad in ["{{}}", "{{a b}}", "{{a.b}}", "{{header.}}", "{{header.a.b}}", "{{1;drop}}"] {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_what_parses_prints_as_it_was_read(text in "\\PC*") {
            if let Ok(template) = text.parse::<Template>() {
                let again: Template = template.to_string().parse().expect("what we print, we read");
                prop_assert_eq!(template, again);
            }
        }

        #[test]
        fn text_around_a_field_is_kept_and_its_value_is_inserted_as_it_is(
            before in "[^{}]*", after in "[^{}]*", value in "\\PC*"
        ) {
            let template: Template = format!("{before}{{{{x}}}}{after}").parse().expect("parses");
            prop_assert_eq!(template.render(|_| Some(&value)), Ok(format!("{before}{value}{after}")));
        }
    }
}
