//! Trying things out: what a message would come to, by the intents as they are or by a draft. Nothing is stored.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use super::{
    deliveries::PlannedDeliveries, marks::DecisionMark, table::shown_subject, verdict::Verdicts,
    why::WhyThisIntent,
};
use crate::{
    app::{MyAccess, may, use_tenant},
    auth::authority::Permission,
    emails::{
        api::{TryMessage, draft_of, get_email},
        dto::{Classification, Decision, DryRun, EmailStatus},
    },
    intents::dto::Extraction,
    rules::words::field_words,
    shared::{EmailId, IntentId, TenantId},
    ui::{
        area::area_text,
        form::PlainForm,
        form_action::{FormAction, form_question},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::ActionProblem,
        react::memo,
        resource::load,
        script::NeedsScript,
        table::{Cell, DataTable},
    },
};

/// What the form begins with.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    /// A stored message, and its subject.
    email: Option<(EmailId, String)>,
    intent: Option<IntentId>,
    draft: String,
}

/// What the reader may try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Nothing,
    /// The intents as they are.
    Messages,
    /// Drafts, too: their look-ups are made with the tenant's credentials.
    Drafts,
}

impl Scope {
    async fn of(me: Option<MyAccess>, tenant: &TenantId) -> Self {
        if may(me, tenant, Permission::Configure).await {
            Self::Drafts
        } else if may(me, tenant, Permission::WorkMessages).await {
            Self::Messages
        } else {
            Self::Nothing
        }
    }
}

/// A message, a draft, and each step of what would come of them.
#[component]
pub fn TrialPage() -> impl IntoView {
    let tenant = use_tenant();
    let query = use_query_map();
    let asked = memo(move || {
        let query = query.read();
        let email: Option<EmailId> = query.get("email").and_then(|text| text.parse().ok());
        let intent: Option<IntentId> = query.get("intent").and_then(|text| text.parse().ok());
        (email, intent)
    });
    let start = load(
        move || (tenant.id(), asked.get()),
        |(tenant, (email, intent))| async move {
            let tenant = tenant?;
            let email = match email {
                Some(id) => Some((id, get_email(tenant.clone(), id).await?.email.subject)),
                None => None,
            };
            let draft = match intent {
                Some(id) => draft_of(tenant, id).await?,
                None => String::new(),
            };
            Ok(Start { email, intent, draft })
        },
    );
    let run = form_question::<TryMessage>();
    let outcome = run.value();
    let me = use_context::<MyAccess>();
    view! {
        <PageHead
            title="Try it"
            lead="What a message would come to, step by step. Nothing is stored, and nothing sent."
            context=tenant.label()
        />
        <NeedsScript/>
        <Load
            data=move || async move {
                let tenant = tenant.id()?;
                let scope = Scope::of(me, &tenant).await;
                Ok((tenant, scope, start.await?))
            }
            retry=move || start.refetch()
            view=move |(tenant_id, scope, start): (TenantId, Scope, Start)| {
                if scope == Scope::Nothing {
                    return view! { <p class="panel">"Who tries messages needs the role operator."</p> }.into_any();
                }
                let has_drafts = scope == Scope::Drafts;
                view! { <Trial tenant_id start run has_drafts/> }.into_any()
            }
        />
        <ActionProblem outcome/>
        // What it comes to is told in a line; the steps are there to be read.
        <p class="visually-hidden" role="status" data-testid="trial-said">
            {move || match outcome.get() {
                Some(Ok((found, draft))) => would_come_to(&found, &draft),
                _ => String::new(),
            }}
        </p>
        {move || match outcome.get() {
            Some(Ok((found, draft))) => Some(view! { <Steps found draft/> }),
            _ => None,
        }}
    }
}

/// What a message would come to, in a line.
fn would_be(decision: Decision) -> &'static str {
    match decision {
        Decision::Accepted => "It would be accepted.",
        Decision::Rejected => "It would be rejected.",
        Decision::Review => "It would go to a person.",
    }
}

/// The same of a trial of a draft, before which stands whose outcome it is, where it is not the draft's. Without a draft, its
/// name is empty.
pub fn would_come_to(found: &DryRun, draft: &str) -> String {
    let line = would_be(found.decision);
    match not_the_drafts(&found.classification, draft) {
        Some(words) => format!("{words} {line}"),
        None => line.to_owned(),
    }
}

/// Which intent the message gets in the place of the draft's, and what keeps that out, as far as it is known.
fn not_the_drafts(classification: &Classification, draft: &str) -> Option<String> {
    let Classification { intent, considered, .. } = classification;
    let is_drafts = |name: &str| name.trim() == draft.trim();
    if draft.trim().is_empty() || intent.as_deref().is_some_and(is_drafts) {
        return None;
    }
    let why_not = considered.iter().find(|other| is_drafts(&other.intent));
    let why_not = why_not.map(|other| format!(" ({})", other.why_not)).unwrap_or_default();
    let gets = intent.as_deref().unwrap_or("no intent");
    Some(format!("This message does not get {}{why_not}. It gets {gets}, which comes to:", draft.trim()))
}

#[component]
fn Trial(
    tenant_id: TenantId,
    start: Start,
    run: FormAction<(DryRun, String)>,
    /// Whether a draft may be tried.
    has_drafts: bool,
) -> impl IntoView {
    let is_pending = run.pending();
    let Start { email, intent, draft } = start;
    let draft =
        if has_drafts { view! { <Draft draft/> }.into_any() } else { view! { <NoDraft/> }.into_any() };
    let message = match email {
        Some((id, subject)) => view! {
            <p>
                "The stored message "
                <a href=format!("/t/{tenant_id}/messages/{id}")>
                    <bdi>{shown_subject(&subject)}</bdi>
                </a>
                <input type="hidden" name="email" value=id.to_string()/>
                <input type="hidden" name="raw" value=""/>
            </p>
        }
        .into_any(),
        None => view! {
            <label class="field">
                <span class="field__label">"Message, as it came (RFC 5322)"</span>
                <textarea name="raw" rows="10" required spellcheck="false" data-testid="raw">
                    {area_text(EXAMPLE)}
                </textarea>
                <input type="hidden" name="email" value=""/>
            </label>
        }
        .into_any(),
    };
    view! {
        <PlainForm action=run class="panel trial" testid="trial">
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <input type="hidden" name="intent" value=intent.map(|id| id.to_string()).unwrap_or_default()/>
            {message}
            {draft}
            <button
                type="submit"
                class="button button--primary"
                aria-busy=move || is_pending.get().to_string()
                data-testid="try"
            >
                <Icon glyph=Glyph::RunAgain/>
                "Try it"
            </button>
        </PlainForm>
    }
}

/// What is tried in the place of the intents as they are.
#[component]
fn Draft(draft: String) -> impl IntoView {
    let has_draft = !draft.is_empty();
    view! {
        <details class="details" open=has_draft>
            <summary>"Draft of an intent and its rules"</summary>
            <label class="field">
                <span class="field__label">
                    "JSON, as in POST /api/intents/with-rules. Left empty, the intents are tried as they are."
                </span>
                <textarea name="draft" rows="18" spellcheck="false" data-testid="draft">
                    {area_text(&draft)}
                </textarea>
            </label>
            <label class="field">
                <span class="field__label">"The message gets this intent"</span>
                <select name="requested">
                    <option value="false">"if its conditions hold"</option>
                    <option value="true">"whatever its conditions say"</option>
                </select>
            </label>
        </details>
    }
}

/// The same of those who may not try one.
#[component]
fn NoDraft() -> impl IntoView {
    view! {
        <input type="hidden" name="draft" value=""/>
        <input type="hidden" name="requested" value="false"/>
    }
}

/// A message to begin with.
pub const EXAMPLE: &str = "From: Ann Example <ann@customer.example>
To: service@acme.example
Subject: Where is my order 1042?

It was to be here last week.
";

/// Each step: what went in, and what came out.
#[component]
pub fn Steps(
    found: DryRun,
    /// The name of the draft's intent; empty where no draft was tried.
    #[prop(optional)]
    draft: String,
) -> impl IntoView {
    let outcome = found.decision.as_str();
    let others = not_the_drafts(&found.classification, &draft);
    view! {
        <article class="message" data-testid="steps">
            {others
                .map(|words| {
                    view! {
                        <p class="notice tone-attention" data-testid="not-the-drafts">
                            <Icon glyph=Glyph::Alert/>
                            <span>{words}</span>
                        </p>
                    }
                    .into_any()
                })}
            <section class=format!("outcome outcome--{outcome}") aria-label="Decision" data-testid="outcome">
                <div class="outcome__head">
                    <DecisionMark status=EmailStatus::Done decision=Some(found.decision)/>
                    <span class="hint">"is what it would come to"</span>
                </div>
                <p class="outcome__why" data-testid="explanation">{found.explanation}</p>
            </section>
            <div class="message__columns">
                <div class="message__side">
                    <WhyThisIntent classification=found.classification/>
                </div>
                <div class="message__main">
                    <Extractions extractions=found.extractions/>
                    <Verdicts verdicts=found.verdicts status=EmailStatus::Done/>
                    <PlannedDeliveries planned=found.deliveries/>
                </div>
            </div>
        </article>
    }
}

/// What each pattern found, or why it found nothing.
#[component]
fn Extractions(extractions: Vec<Extraction>) -> impl IntoView {
    (!extractions.is_empty()).then(|| {
        let rows = extractions
            .into_iter()
            .map(|found| {
                let outcome = match (found.value, found.why_not) {
                    (Some(value), _) => {
                        let others = found.others.map(|others| {
                            view! { <span class="hint">{format!(" Found as well: {others}")}</span> }
                                .into_any()
                        });
                        view! { <strong>{value}</strong>{others} }.into_any()
                    }
                    (None, why) => view! { <span class="hint">{why}</span> }.into_any(),
                };
                view! {
                    <tr role="row" data-testid="extraction">
                        <Cell label="Field">
                            <code class="name">{found.name}</code>
                        </Cell>
                        <Cell label="Found">{outcome}</Cell>
                        <Cell label="Taken from">{field_words(&found.field)}</Cell>
                        <Cell label="Pattern">
                            <code class="breakable">{found.pattern}</code>
                        </Cell>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="section section--first" aria-labelledby="extractions">
                <h2 id="extractions">"Taken from the message"</h2>
                <DataTable
                    caption="Extractors"
                    columns=&["Field", "Found", "Taken from", "Pattern"]
                    class="table--extractions"
                >
                    {rows}
                </DataTable>
            </section>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emails::dto::{ClassificationMethod, Considered};

    fn classified(intent: Option<&str>, considered: &[(&str, &str)]) -> Classification {
        Classification {
            method: ClassificationMethod::Match,
            intent: intent.map(str::to_owned),
            because: Vec::new(),
            considered: considered
                .iter()
                .map(|(intent, why_not)| Considered {
                    intent: (*intent).to_owned(),
                    why_not: (*why_not).to_owned(),
                })
                .collect(),
            suggestion: None,
        }
    }

    #[test]
    fn another_intents_outcome_is_not_the_drafts() {
        let words = |intent, considered: &[(&str, &str)], draft| {
            not_the_drafts(&classified(intent, considered), draft)
        };
        assert_eq!(words(Some("Orders"), &[], ""), None, "no draft was tried");
        assert_eq!(words(Some("Orders"), &[], " Orders "), None);
        assert_eq!(
            words(Some("Orders"), &[("Refunds", "it is later")], "Refunds").as_deref(),
            Some("This message does not get Refunds (it is later). It gets Orders, which comes to:")
        );
        assert_eq!(
            words(None, &[("Orders", "not so")], "Refunds").as_deref(),
            Some("This message does not get Refunds. It gets no intent, which comes to:"),
            "why not is not known"
        );
    }
}
