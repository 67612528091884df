//! What the editor begins with.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use super::kept::DRAFTS;
use crate::{
    datasources::{api::list_datasources, dto::Datasource},
    emails::{
        api::{get_email, list_emails},
        dto::{Email, EmailFilter},
        pages::shown_subject,
    },
    intents::{
        api::{edit_intent, get_intent, get_version},
        dto::{Editable, IntentWithRules, IntentWithRulesInput},
    },
    shared::{EmailId, IntentId, Problem, TenantId},
    ui::bidi::unturned,
};

/// How many of the latest messages are offered to try.
const OFFERED: usize = 20;

/// What the address asks for.
#[derive(Clone, PartialEq)]
pub struct Asked {
    pub intent_id: Option<IntentId>,
    /// An earlier version to go back to.
    version: Option<i32>,
    /// Another intent, to begin a new one with.
    copy: Option<IntentId>,
    email_id: Option<EmailId>,
}

impl Asked {
    pub fn of(params: &ParamsMap, query: &ParamsMap) -> Result<Self, Problem> {
        let intent_id = match params.get("intent_id") {
            Some(text) => Some(text.parse().map_err(|_| Problem::not_found("Intent", text))?),
            None => None,
        };
        let parsed = |name: &str| query.get(name).and_then(|text| text.parse().ok());
        Ok(Self {
            intent_id,
            version: query.get("version").and_then(|text| text.parse().ok()),
            copy: parsed("copy").map(IntentId),
            email_id: query.get("email").and_then(|text| text.parse().ok()),
        })
    }

    /// Under what is kept of what is typed: a version, or a copy, to begin with makes another draft of it.
    fn kept_as(&self, tenant: &TenantId) -> String {
        let of = self.intent_id.map_or_else(|| "new".to_owned(), |id| id.to_string());
        let begun = match (self.intent_id, self.version, self.copy) {
            (Some(_), Some(version), _) => format!("/version-{version}"),
            (None, _, Some(original)) => format!("/copy-of-{original}"),
            _ => String::new(),
        };
        format!("{DRAFTS}{tenant}/{of}{begun}")
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Start {
    pub tenant_id: TenantId,
    /// The key of the session's storage under which the draft is kept.
    pub kept_as: String,
    /// The intent as it is; none for a new one.
    pub saved: Option<Editable>,
    /// What the fields hold, where that is something else.
    pub draft: Option<IntentWithRulesInput>,
    pub datasources: Vec<Datasource>,
    /// Messages to try, with their subjects.
    pub messages: Vec<(EmailId, String)>,
    /// The one that the reader came with.
    pub email_id: Option<EmailId>,
}

/// Reads what the address asks for.
pub async fn begin(tenant: TenantId, asked: Asked) -> Result<Start, Problem> {
    let saved = match asked.intent_id {
        Some(id) => Some(edit_intent(tenant.clone(), id).await?),
        None => None,
    };
    let draft = match (&saved, asked.version, asked.copy) {
        (Some(now), Some(version), _) => {
            let intent_id = now.saved.intent.intent_id;
            let then = get_version(tenant.clone(), intent_id, version).await?;
            let then = IntentWithRules { intent: then.intent, validation_rules: then.validation_rules };
            Some(back_to(then.into(), &now.saved))
        }
        (None, _, Some(id)) => Some(copy_of(get_intent(tenant.clone(), id).await?.into())),
        _ => None,
    };
    let datasources = list_datasources(tenant.clone()).await?;
    let messages = offered(&tenant, &asked).await?;
    let kept_as = asked.kept_as(&tenant);
    Ok(Start { tenant_id: tenant, kept_as, saved, draft, datasources, messages, email_id: asked.email_id })
}

/// The latest messages of the intent, then those without one, which it may be made to take, then all others; the one that
/// the reader came with is among them.
async fn offered(tenant: &TenantId, asked: &Asked) -> Result<Vec<(EmailId, String)>, Problem> {
    let all = EmailFilter::default();
    let filters = match asked.intent_id {
        Some(_) => vec![
            EmailFilter { intent_id: asked.intent_id, ..all.clone() },
            EmailFilter { without_intent: true, ..all.clone() },
            all,
        ],
        None => vec![all],
    };
    let mut messages: Vec<(EmailId, String)> = Vec::new();
    for filter in filters {
        if messages.len() >= OFFERED {
            break;
        }
        for email in list_emails(tenant.clone(), filter, None, Vec::new()).await? {
            if messages.len() < OFFERED && !messages.iter().any(|(known, _)| *known == email.email_id) {
                messages.push(titled(email));
            }
        }
    }
    if let Some(id) = asked.email_id
        && !messages.iter().any(|(known, _)| *known == id)
    {
        messages.insert(0, titled(get_email(tenant.clone(), id).await?.email));
    }
    Ok(messages)
}

fn titled(email: Email) -> (EmailId, String) {
    (email.email_id, format!("{} · {}", shown_subject(&email.subject), unturned(&email.sender_email)))
}

/// A version as the draft: rules that are still there keep their place, the others come anew.
fn back_to(mut then: IntentWithRulesInput, now: &IntentWithRules) -> IntentWithRulesInput {
    for rule in &mut then.validation_rules {
        let is_there = now.validation_rules.iter().any(|stored| Some(stored.rule_id) == rule.rule_id);
        rule.rule_id = rule.rule_id.filter(|_| is_there);
    }
    then
}

fn copy_of(mut original: IntentWithRulesInput) -> IntentWithRulesInput {
    original.intent.name = format!("Copy of {}", original.intent.name);
    for rule in &mut original.validation_rules {
        rule.rule_id = None;
    }
    original
}
