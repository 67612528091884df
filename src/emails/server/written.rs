//! A message as a program hands it in by JSON: whole, or as its parts.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use lettre::message::{Mailbox, Mailboxes, SinglePart, header};

use super::{address, mime::with_lf};
use crate::{
    emails::dto::EmailInput,
    shared::{Problem, validate::Checks},
};

/// An identifier needs no more, in bytes.
const MAX_MESSAGE_ID: usize = 250;

/// Its bytes (RFC 5322).
///
/// # Errors
/// 422 naming the field.
pub fn message_of(input: &EmailInput, now: DateTime<Utc>) -> Result<Vec<u8>, Problem> {
    match (&input.raw, &input.raw_base64, has_parts(input)) {
        (Some(raw), None, false) => Ok(raw.as_bytes().to_vec()),
        (None, Some(text), false) => BASE64_STANDARD
            .decode(text)
            .map_err(|error| Problem::invalid_field("raw_base64", error.to_string())),
        (None, None, true) => written(input, now),
        _ => {
            let one =
                "is needed, or raw_base64, or sender_email with what goes with it, and not two of these";
            Err(Problem::invalid_field("raw", one))
        }
    }
}

fn has_parts(input: &EmailInput) -> bool {
    let EmailInput {
        raw: _,
        raw_base64: _,
        sender_email,
        sender_name,
        recipient_email,
        reply_to,
        subject,
        body,
        message_id,
    } = input;
    [sender_email, sender_name, recipient_email, reply_to, subject, body, message_id]
        .iter()
        .any(|part| part.is_some())
}

/// With a `message_id`, the same parts give the same bytes: what is handed in twice is known by them. Without, it is a message
/// of now, as its `Date` says: who writes the same again next week is heard again.
fn written(input: &EmailInput, now: DateTime<Utc>) -> Result<Vec<u8>, Problem> {
    let mut checks = Checks::default();
    let name = given(input.sender_name.as_deref()).map(|name| checks.name("sender_name", name));
    let sender = mailbox(&mut checks, "sender_email", input.sender_email.as_deref(), name);
    if given(input.sender_email.as_deref()).is_none() {
        checks.fault("sender_email", "is missing");
    }
    let recipient = mailbox(&mut checks, "recipient_email", input.recipient_email.as_deref(), None);
    let reply_to = mailbox(&mut checks, "reply_to", input.reply_to.as_deref(), None);
    let subject = subject(&mut checks, input.subject.as_deref());
    let message_id = message_id(&mut checks, input.message_id.as_deref());
    checks.finish()?;

    let mut message = SinglePart::builder();
    if let Some(sender) = sender {
        message = message.header(header::From::from(Mailboxes::from(sender)));
    }
    if let Some(recipient) = recipient {
        message = message.header(header::To::from(Mailboxes::from(recipient)));
    }
    if let Some(reply_to) = reply_to {
        message = message.header(header::ReplyTo::from(Mailboxes::from(reply_to)));
    }
    if let Some(subject) = subject {
        message = message.header(header::Subject::from(subject));
    }
    message = match message_id {
        Some(message_id) => message.header(header::MessageId::from(message_id)),
        None => message.header(header::Date::new(now.into())),
    };
    // A lone CR ends a line to some and to others none. With CR LF at once: lettre puts each CR in by itself, and moves all that
    // follows each time.
    let body = with_lf(input.body.as_deref().unwrap_or_default()).replace('\n', "\r\n");
    let message = message.header(header::MIME_VERSION_1_0).header(header::ContentType::TEXT_PLAIN);
    Ok(message.body(body).formatted())
}

/// A form sends what nobody filled in as an empty text.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn mailbox(checks: &mut Checks, field: &str, text: Option<&str>, name: Option<String>) -> Option<Mailbox> {
    // Quoted, or like an encoded word, another address would be read in it.
    let is_plain = |text: &&str| !text.contains('"') && !text.contains("=?");
    let address = given(text)?;
    let address = Some(address).filter(is_plain).and_then(address::parse);
    if address.is_none() {
        checks.fault(field, "must be an address such as ada@acme.example");
    }
    Some(Mailbox::new(name, address?))
}

fn subject(checks: &mut Checks, text: Option<&str>) -> Option<String> {
    let text = given(text)?;
    // A line end would begin another header field.
    if text.chars().any(char::is_control) {
        checks.fault("subject", "must not hold control characters");
    }
    if text.contains("=?") {
        checks.fault("subject", "must be a text, and hold no encoded word");
    }
    Some(checks.text("subject", text, 2_000))
}

/// With the brackets that it has in a message, or without them, as answers have it.
fn message_id(checks: &mut Checks, text: Option<&str>) -> Option<String> {
    let text = given(text)?;
    let id = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    let is_id = !id.is_empty()
        && id.len() <= MAX_MESSAGE_ID
        && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>');
    if !is_id {
        checks.fault("message_id", "must be an id such as 1042@shop.example");
    }
    Some(format!("<{id}>"))
}
