//! Forwards and replies, by the installation's own relay.
//!
//! The relay is the administrator's setting and may be in a private network: the fence around what tenants name
//! does not apply to it.

use std::time::Duration;

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Attachment, Body, Mailbox, Mailboxes, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, To},
    },
};
use secrecy::ExposeSecret;
use serde_json::Value;
use uuid::Uuid;

use super::{
    relay::{Relay, is_ascii},
    senders::{Arrived, Fault},
};
use crate::{emails::server::address, server::config::SmtpConfig, shared::DeliveryId};

/// The longest line that SMTP carries, in bytes, without its end (RFC 5321, section 4.5.3.1.6).
const MAX_LINE: usize = 998;

/// The relay, and who mails come from.
pub struct Mailer {
    /// `None`: its address cannot be read, which the configuration does not let pass.
    relay: Option<Relay>,
    from: Mailbox,
}

impl Mailer {
    /// `hostname` is what the server calls itself.
    pub fn new(smtp: &SmtpConfig, hostname: &str, timeout: Duration) -> Self {
        let mut from = smtp.from.clone();
        from.email = parse(from.email.as_ref()).unwrap_or(from.email);
        Self { relay: Relay::parse(smtp.url.expose_secret(), hostname, timeout), from }
    }

    /// Sends the original as it came, attached to a note. Whoever answers it answers its sender. It names all of `to` (but,
    /// beside others, none whom only some servers can write to), and goes to `left`, those of them who do not have it: from
    /// nobody, where the payload says so (`null_return_path`).
    ///
    /// # Errors
    /// `Fault`, which says who has it all the same.
    pub async fn forward(
        &self,
        id: DeliveryId,
        to: &[String],
        left: &[String],
        payload: &Value,
        raw: Vec<u8>,
        loop_token: &str,
    ) -> Result<Arrived, Fault> {
        let mut message = self.draft(id, payload, loop_token, "auto-generated").from(self.from.clone());
        let (all, recipients) = (parse_all(to)?, parse_all(left)?);
        // A mail that names one that is not ASCII could go to nobody whose server takes no such mail.
        let is_for_any = all.iter().any(is_ascii);
        let named = all.into_iter().filter(|address| !is_for_any || is_ascii(address));
        // Together: one by one, lettre reads back those that stand there, and some letters it does not know again.
        let named: Mailboxes = named.map(|address| Mailbox::new(None, address)).collect();
        message = message.mailbox(To::from(named));
        // A bounce comes back to the installation's own address, which is no tenant's, and never to the sender: what is no
        // notice has a return path (RFC 5321, section 4.5.5). Only what came from nobody goes on from nobody (there, and
        // RFC 5228, section 4.2), also where the relay takes no such mail, or none for several (Postfix,
        // `reject_multi_recipient_bounce`), and it is given up: its bounce could be sent on, too, and the bounce of that.
        let is_from_nobody = payload.get("null_return_path").and_then(Value::as_bool).unwrap_or_default();
        let from = (!is_from_nobody).then(|| self.from.email.clone());
        let envelope = Envelope::new(from, recipients).map_err(malformed)?;
        let note = plain(text(payload, "text").unwrap_or_default());
        let parts = MultiPart::mixed().singlepart(note).singlepart(original(raw));
        let sent = self.send(message.envelope(envelope).multipart(parts).map_err(malformed)?).await;
        // As the route writes them, by which who has it already is known again.
        sent.map_err(|mut fault| {
            for done in &mut fault.delivered_to {
                if let Some(own) = left.iter().find(|to| address::is_same(to, done)) {
                    done.clone_from(own);
                }
            }
            fault
        })
    }

    /// Answers the sender, marked as a machine's answer and from nobody, so that no machine answers it (RFC 3834).
    ///
    /// # Errors
    /// `Fault`.
    pub async fn reply(&self, id: DeliveryId, payload: &Value, loop_token: &str) -> Result<Arrived, Fault> {
        let to: Address = parse(text(payload, "to").unwrap_or_default())?;
        let name = text(payload, "from_name").map(str::to_owned).or_else(|| self.from.name.clone());
        let mut message = self
            .draft(id, payload, loop_token, "auto-replied")
            .from(Mailbox::new(name, self.from.email.clone()))
            .to(Mailbox::new(None, to.clone()));
        if let Some(original) = text(payload, "in_reply_to") {
            message = message.in_reply_to(original.to_owned());
        }
        if let Some(thread) = text(payload, "references") {
            message = message.references(thread.to_owned());
        }
        let envelope = Envelope::new(None, vec![to]).map_err(malformed)?;
        let body = plain(text(payload, "text").unwrap_or_default());
        self.send(message.envelope(envelope).singlepart(body).map_err(malformed)?).await
    }

    /// A mail of the installation's own, to one person, from nobody: a link may stand in it, which is not to come back
    /// with a bounce.
    ///
    /// # Errors
    /// `Fault`.
    pub async fn notice(&self, to: &str, subject: &str, text: String) -> Result<Arrived, Fault> {
        let to: Address = parse(to)?;
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .message_id(Some(self.message_id(Uuid::now_v7())))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        let (nobody, body) = (Envelope::new(None, vec![to]).map_err(malformed)?, plain(&text));
        let first = message.clone().envelope(nobody).singlepart(body.clone()).map_err(malformed)?;
        match self.send(first).await {
            // Some relays take no mail from nobody (Amazon SES, 501). What comes back then is no tenant's.
            Err(fault) if fault.permanent => self.send(message.singlepart(body).map_err(malformed)?).await,
            sent => sent,
        }
    }

    /// Under the domain that mails come from.
    fn message_id(&self, id: Uuid) -> String {
        format!("<{id}@{}>", self.from.email.domain())
    }

    /// What all our mails have: an id that stays the same when it is sent again, and the marks of RFC 3834.
    fn draft(
        &self,
        id: DeliveryId,
        payload: &Value,
        loop_token: &str,
        auto_submitted: &str,
    ) -> lettre::message::MessageBuilder {
        let header = |name: &'static str, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        // Those who sent it on before us must know it again, too.
        let before = payload.get("loop").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let marks: Vec<&str> = before.iter().filter_map(Value::as_str).chain([loop_token]).collect();
        let message = Message::builder()
            .message_id(Some(self.message_id(id.0)))
            .subject(text(payload, "subject").unwrap_or_default())
            .raw_header(header("Auto-Submitted", auto_submitted))
            .raw_header(header("X-FlowEngine-Loop", &marks.join(" ")));
        // A server that takes no other letters refuses a mail that names such an address.
        match text(payload, "reply_to").and_then(|address| parse(address).ok()).filter(is_ascii) {
            Some(address) => message.reply_to(Mailbox::new(None, address)),
            None => message,
        }
    }

    async fn send(&self, message: Message) -> Result<Arrived, Fault> {
        let relay = self.relay.as_ref().ok_or_else(|| Fault::down("SMTP_URL cannot be read"))?;
        relay.hand_over(message.envelope(), &message.formatted()).await
    }
}

/// A text whose lines all end alike. What a stranger wrote may stand in it: a lone CR ends a line to some servers and to
/// others none, and behind it a dot could end the mail, for one of the stranger's own (SMTP smuggling).
/// With CR LF at once: lettre puts each CR in by itself, and moves all that follows each time.
fn plain(text: &str) -> SinglePart {
    SinglePart::plain(text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n"))
}

/// The original, byte for byte. As `message/rfc822` where it can travel as it is: that type must not be encoded
/// (RFC 2046, section 5.2.1). What has a bare line end or a long line would be changed on the way, or worse (SMTP
/// smuggling), and what is not ASCII needs a relay that takes it: that travels encoded, as a file.
fn original(raw: Vec<u8>) -> SinglePart {
    let attachment = Attachment::new("message.eml".to_owned());
    if travels_as_it_is(&raw) {
        let body = Body::dangerous_pre_encoded(raw, ContentTransferEncoding::SevenBit);
        attachment.body(body, content_type("message/rfc822"))
    } else {
        match Body::new_with_encoding(raw, ContentTransferEncoding::Base64) {
            Ok(body) => attachment.body(body, content_type("application/octet-stream")),
            Err(raw) => attachment.body(raw, content_type("application/octet-stream")),
        }
    }
}

fn travels_as_it_is(raw: &[u8]) -> bool {
    let mut rest = raw;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\r' || *byte == b'\n').unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        if line.len() > MAX_LINE || line.iter().any(|byte| *byte == 0 || !byte.is_ascii()) {
            return false;
        }
        rest = match tail.strip_prefix(b"\r\n") {
            Some(next) => next,
            None if tail.is_empty() => tail,
            None => return false,
        };
    }
    true
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).unwrap_or(ContentType::TEXT_PLAIN)
}

fn text<'p>(payload: &'p Value, member: &str) -> Option<&'p str> {
    payload.get(member).and_then(Value::as_str)
}

fn parse(text: &str) -> Result<Address, Fault> {
    address::parse(text).ok_or_else(|| Fault::permanent(format!("'{text}' is no mail address")))
}

fn parse_all(addresses: &[String]) -> Result<Vec<Address>, Fault> {
    addresses.iter().map(|address| parse(address)).collect()
}

fn malformed(error: impl std::fmt::Display) -> Fault {
    Fault::permanent(format!("The mail cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_relay_would_change_travels_as_it_is() {
        for good in ["", "a", "a\r\nb\r\n", &format!("{}\r\n", "x".repeat(998))] {
            assert!(travels_as_it_is(good.as_bytes()), "{good:?}");
        }
        for bad in ["a\nb", "a\rb", "a\r\r\n", "a\n.\r\n", "é", "a\0", &"x".repeat(999)] {
            assert!(!travels_as_it_is(bad.as_bytes()), "{bad:?}");
        }
    }
}
