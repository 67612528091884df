//! A mailbox as it is typed.

use leptos::prelude::*;

use crate::{
    mailboxes::dto::{
        AfterStoring, ImapAccount, ImapOauth, MailSecurity, Mailbox, MailboxInput, MailboxKind,
    },
    shared::TenantId,
};

const OAUTH: &str = "oauth";
/// What Exchange Online's tokens are asked for, of which there is most.
const EXCHANGE: &str = "https://outlook.office365.com/.default";

/// Every field of either kind: what the other has stays typed while one looks around.
#[derive(Clone, Copy)]
pub struct MailboxForm {
    pub name: RwSignal<String>,
    pub kind: RwSignal<String>,
    pub address: RwSignal<String>,
    pub host: RwSignal<String>,
    /// Empty for the usual one.
    pub port: RwSignal<String>,
    pub security: RwSignal<String>,
    pub username: RwSignal<String>,
    /// `password` or `oauth`.
    pub login: RwSignal<String>,
    /// Of what is stored, its mask, which keeps it. With `oauth`, the client's secret.
    pub password: RwSignal<String>,
    pub token_url: RwSignal<String>,
    pub client_id: RwSignal<String>,
    pub scope: RwSignal<String>,
    pub folder: RwSignal<String>,
    pub after_storing: RwSignal<String>,
    pub is_active: RwSignal<bool>,
}

impl MailboxForm {
    /// An empty form, or one of a stored mailbox.
    pub fn new(mailbox: Option<&Mailbox>) -> Self {
        let imap = mailbox.and_then(|mailbox| mailbox.imap.as_ref());
        let setting = |read: fn(&ImapAccount) -> String, or: &str| {
            RwSignal::new(imap.map_or_else(|| or.to_owned(), read))
        };
        let client = |read: fn(&ImapOauth) -> &String, or: &str| {
            let oauth = imap.and_then(|imap| imap.oauth.as_ref());
            RwSignal::new(oauth.map_or(or, |oauth| read(oauth)).to_owned())
        };
        let address = mailbox.and_then(|mailbox| mailbox.address.clone());
        Self {
            name: RwSignal::new(mailbox.map(|mailbox| mailbox.name.clone()).unwrap_or_default()),
            kind: RwSignal::new(mailbox.map_or(MailboxKind::Smtp, |mailbox| mailbox.kind).to_string()),
            address: RwSignal::new(address.unwrap_or_default()),
            host: setting(|imap| imap.host.clone(), ""),
            port: setting(|imap| imap.port.map(|port| port.to_string()).unwrap_or_default(), ""),
            security: setting(|imap| imap.security.to_string(), MailSecurity::Tls.as_str()),
            username: setting(|imap| imap.username.clone(), ""),
            login: setting(
                |imap| if imap.oauth.is_some() { OAUTH } else { "password" }.to_owned(),
                "password",
            ),
            password: setting(|imap| imap.password.clone(), ""),
            token_url: client(|oauth| &oauth.token_url, ""),
            client_id: client(|oauth| &oauth.client_id, ""),
            scope: client(|oauth| &oauth.scope, EXCHANGE),
            folder: setting(|imap| imap.folder.clone(), "INBOX"),
            after_storing: setting(|imap| imap.after_storing.to_string(), AfterStoring::Keep.as_str()),
            is_active: RwSignal::new(mailbox.is_none_or(|mailbox| mailbox.is_active)),
        }
    }

    pub fn kind(self) -> MailboxKind {
        self.kind.read().parse().unwrap_or(MailboxKind::Smtp)
    }

    pub fn security(self) -> MailSecurity {
        self.security.read().parse().unwrap_or(MailSecurity::Tls)
    }

    pub fn is_oauth(self) -> bool {
        *self.login.read() == OAUTH
    }

    /// The mailbox as the server takes it. Reads every signal that it is made of.
    pub fn input(self, tenant: &TenantId) -> MailboxInput {
        let kind = self.kind();
        let (address, imap) = match kind {
            MailboxKind::Smtp => (Some(self.address.get()), None),
            MailboxKind::Imap => {
                let account = ImapAccount {
                    host: self.host.get(),
                    port: port(&self.port.read()),
                    security: self.security(),
                    username: self.username.get(),
                    password: self.password.get(),
                    oauth: self.is_oauth().then(|| ImapOauth {
                        token_url: self.token_url.get(),
                        client_id: self.client_id.get(),
                        scope: self.scope.get(),
                    }),
                    folder: self.folder.get(),
                    after_storing: self.after_storing.read().parse().unwrap_or(AfterStoring::Keep),
                };
                (None, Some(account))
            }
        };
        MailboxInput {
            name: self.name.get(),
            kind,
            address,
            imap,
            is_active: self.is_active.get(),
            tenant_id: Some(tenant.to_string()),
            mailbox_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
            heartbeat: Default::default(),
        }
    }
}

/// What is no port is 0, which the check of the input tells.
fn port(text: &str) -> Option<u16> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::datasources::dto::MASK;

    fn mailbox(kind: &str, address: Value, imap: Value) -> Mailbox {
        serde_json::from_value(json!({
            "mailbox_id": 1, "tenant_id": "acme", "name": "m", "kind": kind, "address": address, "imap": imap,
            "is_active": false, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "heartbeat": {"state": "inactive", "messages_stored": 0, "messages_left": 0, "messages_unreadable": 0},
        }))
        .expect("a mailbox")
    }

    #[test]
    fn what_was_stored_comes_back_as_it_was() {
        let imap = json!({
            "host": "imap.acme.example", "port": 1143, "security": "starttls", "username": "orders", "password": MASK,
            "folder": "Orders", "after_storing": "seen",
        });
        let mut by_token = imap.clone();
        by_token["oauth"] =
            json!({"token_url": "https://id.example/token", "client_id": "flow", "scope": "mail"});
        for stored in [
            mailbox("smtp", json!("a@acme.example"), json!(null)),
            mailbox("imap", json!(null), imap),
            mailbox("imap", json!(null), by_token),
        ] {
            let tenant: TenantId = "acme".parse().expect("an id");
            let owner = Owner::new();
            let input = owner.with(|| MailboxForm::new(Some(&stored)).input(&tenant));
            assert_eq!((&input.name, input.kind, input.is_active), (&stored.name, stored.kind, false));
            assert_eq!((&input.address, &input.imap), (&stored.address, &stored.imap));
            assert!(input.validate(&tenant).is_ok());
        }
    }

    #[test]
    fn what_is_no_port_is_told_at_the_port() {
        assert_eq!(port(" "), None);
        assert_eq!(port(" 993 "), Some(993));
        let tenant: TenantId = "acme".parse().expect("an id");
        let account = json!({"host": "imap.acme.example", "username": "orders", "password": MASK});
        let stored = mailbox("imap", json!(null), account);
        let owner = Owner::new();
        for text in ["imap", "70000", "-1"] {
            let input = owner.with(|| {
                let form = MailboxForm::new(Some(&stored));
                form.port.set(text.to_owned());
                form.input(&tenant)
            });
            let problem = input.validate(&tenant).expect_err("no port");
            assert_eq!(problem.errors[0].field, "imap.port", "{text}");
        }
    }
}
