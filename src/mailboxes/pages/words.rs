//! Mailboxes in words.

use crate::{
    mailboxes::dto::{Heartbeat, Mailbox, MailboxState},
    ui::{badge::Tone, icons::Glyph},
};

/// The kinds of mailboxes, and how mail comes by each.
pub const KINDS: [(&str, &str); 2] = [
    ("smtp", "To an address: a mail server hands it on (SMTP, LMTP)"),
    ("imap", "Fetched from a mailbox elsewhere (IMAP)"),
];

/// How a connection is encrypted.
pub const SECURITIES: [(&str, &str); 3] = [
    ("tls", "From its start (TLS)"),
    ("starttls", "After a greeting (STARTTLS)"),
    ("none", "Not at all, within a private network"),
];

/// With what a mailbox is read.
pub const LOGINS: [(&str, &str); 2] = [("password", "Password"), ("oauth", "Token (OAuth 2.0)")];

/// What becomes of a message on its server.
pub const AFTER_STORING: [(&str, &str); 3] = [
    ("keep", "It stays as it is"),
    ("seen", "It is marked as read"),
    ("delete", "It is deleted from its server"),
];

/// Whose mail comes by it, and how.
pub fn way_words(mailbox: &Mailbox) -> (String, String) {
    match (&mailbox.imap, &mailbox.address) {
        (Some(account), _) => {
            (account.username.clone(), format!("on {}, {}, by IMAP", account.host, account.folder))
        }
        (None, Some(address)) if address.starts_with("*@") => {
            (address.clone(), "what no other mailbox takes, by SMTP or LMTP".to_owned())
        }
        (None, address) => (address.clone().unwrap_or_default(), "by SMTP or LMTP".to_owned()),
    }
}

/// A state's colour, icon and word.
pub fn state_words(state: MailboxState) -> (Tone, Glyph, &'static str) {
    match state {
        MailboxState::Waiting => (Tone::Quiet, Glyph::Waiting, "Waiting"),
        MailboxState::Ok => (Tone::Good, Glyph::Accept, "Works"),
        MailboxState::Failing => (Tone::Bad, Glyph::Alert, "Fails"),
        MailboxState::Inactive => (Tone::Quiet, Glyph::Skip, "Inactive"),
    }
}

/// How many messages came by it, lie on its server, and cannot be taken, ever or until now.
pub fn count_words(heartbeat: &Heartbeat) -> Vec<String> {
    let mut words = vec![format!("{} stored", heartbeat.messages_stored)];
    if let Some(count) = heartbeat.messages_on_server {
        words.push(format!("{count} on the server"));
    }
    if heartbeat.messages_left > 0 {
        words.push(format!("{} too large", heartbeat.messages_left));
    }
    if heartbeat.messages_unreadable > 0 {
        words.push(format!("{} could not be read", heartbeat.messages_unreadable));
    }
    words
}

/// Of which domains an address may be.
pub fn domain_words(domains: &[String]) -> String {
    if domains.is_empty() {
        "No domain is this tenant’s yet: an administrator of the installation says which are.".to_owned()
    } else {
        format!("It must be of a domain that is this tenant’s: {}.", domains.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mailbox(kind: &str, address: Value, imap: Value) -> Mailbox {
        serde_json::from_value(json!({
            "mailbox_id": 1, "tenant_id": "acme", "name": "m", "kind": kind, "address": address, "imap": imap,
            "is_active": true, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "heartbeat": {"state": "ok", "messages_stored": 3, "messages_on_server": 6,
                "messages_left": 2, "messages_unreadable": 1},
        }))
        .expect("a mailbox")
    }

    #[test]
    fn how_mail_comes_is_said_in_a_few_words() {
        let imap = json!({"host": "imap.acme.example", "username": "orders", "password": "********"});
        for (mailbox, whose, how) in [
            (mailbox("smtp", json!("a@acme.example"), json!(null)), "a@acme.example", "by SMTP or LMTP"),
            (
                mailbox("smtp", json!("*@acme.example"), json!(null)),
                "*@acme.example",
                "what no other mailbox takes, by SMTP or LMTP",
            ),
            (mailbox("imap", json!(null), imap), "orders", "on imap.acme.example, INBOX, by IMAP"),
        ] {
            assert_eq!(way_words(&mailbox), (whose.to_owned(), how.to_owned()));
        }
    }

    #[test]
    fn what_is_too_large_or_could_not_be_read_is_counted_where_there_is_some() {
        let mut heartbeat = mailbox("smtp", json!("a@acme.example"), json!(null)).heartbeat;
        let all = ["3 stored", "6 on the server", "2 too large", "1 could not be read"];
        assert_eq!(count_words(&heartbeat), all);
        heartbeat.messages_left = 0;
        assert_eq!(count_words(&heartbeat), [all[0], all[1], all[3]]);
        (heartbeat.messages_on_server, heartbeat.messages_unreadable) = (None, 0);
        assert_eq!(count_words(&heartbeat), ["3 stored"]);
    }
}
