//! One message: how it was decided, why, and what it says.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::{hooks::use_params_map, location::Url};
use serde_json::{Map, Value};

use super::{
    actions::Actions, deliveries::Deliveries, list::subject_of, marks::DecisionMark, verdict::Verdicts,
};
use crate::{
    app::{tenant_page, use_tenant},
    classifier::dto::{Suggestion, percent},
    deliveries::{api::RetryDelivery, dto::DeliveryStatus},
    emails::{
        api::{DecideEmail, ReprocessEmail, get_email},
        dto::{Classification, ClassificationMethod, Email, EmailDetail, EmailStatus},
    },
    intents::dto::is_message_field,
    rules::pages::field_words,
    shared::{EmailId, Problem, TenantId},
    ui::{
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        time::Timestamp,
        value::{Members, Plain},
    },
};

/// One message. While it waits for its decision the page asks again, so that the operator sees it come.
#[component]
pub fn MessagePage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let email_id = Memo::new(move |_| {
        let text = params.read().get("email_id").unwrap_or_default();
        text.parse::<EmailId>().map_err(|_| Problem::not_found("Message", text))
    });
    let rerun = ServerAction::<ReprocessEmail>::new();
    let decide = ServerAction::<DecideEmail>::new();
    let retry = ServerAction::<RetryDelivery>::new();
    let (reruns, decisions, retries) = (rerun.version(), decide.version(), retry.version());
    let detail = Resource::new(
        move || (tenant.id(), email_id.get(), reruns.get(), decisions.get(), retries.get()),
        |(tenant, email, ..)| async move { get_email(tenant?, email?).await },
    );
    ask_while_waiting(detail);
    view! {
        <p class="back">
            <a href=move || tenant.page("/messages")>
                <Icon glyph=Glyph::Back/>
                "Messages"
            </a>
        </p>
        <Load
            heading="Message"
            data=move || async move { detail.await }
            retry=move || detail.refetch()
            view=move |detail: EmailDetail| {
                view! { <MessageView detail rerun decide retry context=tenant.label()/> }
            }
        />
    }
}

fn is_undecided(detail: &EmailDetail) -> bool {
    detail.email.status != EmailStatus::Done
}

fn is_sending(detail: &EmailDetail) -> bool {
    detail.deliveries.iter().any(|delivery| delivery.status == DeliveryStatus::Pending)
}

/// Asks again as long as the message or a delivery of it is not done: soon at first, then ever less often.
fn ask_while_waiting(detail: Resource<Result<EmailDetail, Problem>>) {
    let asked = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let is_waiting = detail
            .with(|answer| matches!(answer, Some(Ok(detail)) if is_undecided(detail) || is_sending(detail)));
        if !is_waiting {
            asked.set_value(0);
            return;
        }
        let times = asked.get_value();
        asked.set_value(times.saturating_add(1));
        let pause = Duration::from_millis(400 << (times / 5).min(5));
        if let Ok(timer) = set_timeout_with_handle(move || detail.refetch(), pause) {
            on_cleanup(move || timer.clear());
        }
    });
}

#[component]
fn MessageView(
    detail: EmailDetail,
    rerun: ServerAction<ReprocessEmail>,
    decide: ServerAction<DecideEmail>,
    retry: ServerAction<RetryDelivery>,
    context: Signal<String>,
) -> impl IntoView {
    let EmailDetail {
        email,
        fields,
        classification,
        decided_by,
        decided_at,
        run,
        intent_version,
        verdicts,
        deliveries,
        ..
    } = detail;
    let (tenant_id, email_id) = (email.tenant_id.clone(), email.email_id);
    let (status, decision) = (email.status, email.decision);
    let outcome = decision.filter(|_| status == EmailStatus::Done).map_or("waiting", |found| found.as_str());
    let trial = {
        let intent = email.intent.as_ref().and_then(|intent| intent.intent_id);
        let intent = intent.map(|id| format!("&intent={id}")).unwrap_or_default();
        tenant_page(&tenant_id, &format!("/try?email={email_id}{intent}"))
    };
    let explanation = email.explanation.clone();
    let parse_error = email.parse_error.clone();
    view! {
        <article class="message" data-testid="message" data-status=status.as_str()>
            <PageHead title=subject_of(&email) context/>
            <section class=format!("outcome outcome--{outcome}") aria-label="Decision" data-testid="outcome">
                <div class="outcome__head">
                    <DecisionMark status decision/>
                    <span class="hint">
                        {decided_by.map(|who| format!("by {who} "))}
                        {decided_at.map(|at| view! { <Timestamp at/> })}
                        {(run > 1).then(|| format!(" · run {run}"))}
                        {intent_version.map(|version| format!(" · version {version} of its intent"))}
                    </span>
                </div>
                <p class="outcome__why" data-testid="explanation">{explanation}</p>
                {parse_error
                    .map(|error| {
                        view! {
                            <p class="notice tone-attention">
                                <Icon glyph=Glyph::Alert/>
                                <span>{format!("It could not be read as a message: {error}")}</span>
                            </p>
                        }
                    })}
            </section>
            <Actions tenant_id=tenant_id.clone() email_id status rerun decide/>
            <p class="actions__more">
                <a href=trial data-testid="try-changes">"Try changes on this message"</a>
            </p>
            <div class="message__columns">
                <div class="message__side">
                    <Envelope email/>
                    {classification.map(|classification| view! { <WhyThisIntent classification/> })}
                </div>
                <div class="message__main">
                    <Verdicts verdicts/>
                    <Deliveries deliveries retry/>
                    <Content fields tenant_id email_id/>
                </div>
            </div>
        </article>
    }
}

/// Who wrote to whom, when, and what they were taken to want.
#[component]
fn Envelope(email: Email) -> impl IntoView {
    let from = match email.sender_name.as_str() {
        "" => email.sender_email,
        name => format!("{name} <{}>", email.sender_email),
    };
    let intent = match email.intent {
        None => view! { <span class="hint">"none"</span> }.into_any(),
        Some(intent) => match intent.intent_id {
            Some(id) => {
                let href = tenant_page(&email.tenant_id, &format!("/intents/{id}"));
                view! { <a href=href>{intent.name}</a> }.into_any()
            }
            None => view! { <span>{intent.name} " (deleted)"</span> }.into_any(),
        },
    };
    let labels = (!email.labels.is_empty()).then(|| {
        let links = email
            .labels
            .into_iter()
            .map(|label| {
                let href = format!("{}?label={}", tenant_page(&email.tenant_id, "/messages"), Url::escape(&label));
                view! { <a class="label" href=href>{label}</a> }
            })
            .collect_view();
        view! { <div class="facts__line"><dt>"Labels"</dt><dd class="labels" data-testid="labels">{links}</dd></div> }
    });
    view! {
        <section class="panel" aria-label="Envelope">
            <dl class="facts">
                <div class="facts__line"><dt>"From"</dt><dd>{from}</dd></div>
                <div class="facts__line"><dt>"To"</dt><dd>{email.recipient_email}</dd></div>
                <div class="facts__line"><dt>"Received"</dt><dd><Timestamp at=email.received_at/></dd></div>
                <div class="facts__line"><dt>"Status"</dt><dd>{email.status.as_str()}</dd></div>
                <div class="facts__line"><dt>"Intent"</dt><dd>{intent}</dd></div>
                {labels}
                <div class="facts__line"><dt>"Message-ID"</dt><dd><code>{email.message_id}</code></dd></div>
            </dl>
        </section>
    }
}

/// Why the message was taken to want this, and what kept the other intents out.
#[component]
pub fn WhyThisIntent(classification: Classification) -> impl IntoView {
    let Classification { method, intent, because, considered, suggestion } = classification;
    let sentence = match (method, intent) {
        (ClassificationMethod::Requested, Some(intent)) => format!("{intent}: whoever sent it in named it."),
        (ClassificationMethod::Match, Some(intent)) => format!("{intent}: its conditions hold."),
        (ClassificationMethod::Classifier, Some(intent)) => format!("{intent}: it reads like its examples."),
        (ClassificationMethod::Corrected, Some(intent)) => format!("{intent}: a person chose it."),
        (ClassificationMethod::Corrected, None) => "None: a person said that none fits.".to_owned(),
        _ => "No intent was found.".to_owned(),
    };
    let because = (!because.is_empty()).then(|| {
        let items = because.into_iter().map(|reason| view! { <li>{reason}</li> }).collect_view();
        view! { <ul class="reasons">{items}</ul> }
    });
    let others = (!considered.is_empty()).then(|| {
        let lines = considered.into_iter().map(|other| (other.intent, other.why_not)).collect();
        view! {
            <h3 class="group__title">"Also considered"</h3>
            <Facts lines/>
        }
    });
    view! {
        <section class="panel" aria-labelledby="why" data-testid="classification">
            <h2 id="why">"Why this intent"</h2>
            <p>{sentence}</p>
            {because}
            {suggestion.map(|suggestion| view! { <Classifier suggestion/> })}
            {others}
        </section>
    }
}

/// What the classifier took the message for: how sure it was, by which words, and what came next.
#[component]
fn Classifier(suggestion: Suggestion) -> impl IntoView {
    let Suggestion { intent, probability, only_suggested, words, runners_up, .. } = suggestion;
    // Where it gave the intent, that was said already.
    let sentence = only_suggested
        .map(|why| view! { <p>{format!("It looks like {intent} ({} sure), but {why}.", percent(probability))}</p> });
    let words: Vec<_> = words.into_iter().map(|word| (word.word, format!("+{:.2}", word.weight))).collect();
    let next: Vec<_> = runners_up.into_iter().map(|next| (next.intent, percent(next.probability))).collect();
    let words = (!words.is_empty()).then(|| {
        view! {
            <h3 class="group__title">"Words that speak for it"</h3>
            <Facts lines=words/>
        }
    });
    let next = (!next.is_empty()).then(|| {
        view! {
            <h3 class="group__title">"Next likely"</h3>
            <Facts lines=next/>
        }
    });
    view! {
        <div class="panel__part" data-testid="suggestion">
            {sentence}
            {words}
            {next}
        </div>
    }
}

/// Names and what they stand for, a line each.
#[component]
fn Facts(lines: Vec<(String, String)>) -> impl IntoView {
    let items = lines
        .into_iter()
        .map(|(name, value)| {
            view! {
                <div class="facts__line">
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            }
        })
        .collect_view();
    view! { <dl class="facts">{items}</dl> }
}

/// What the message says, and what was taken from it.
#[component]
fn Content(mut fields: Map<String, Value>, tenant_id: TenantId, email_id: EmailId) -> impl IntoView {
    let body = match fields.shift_remove("body") {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            view! { <div class="body-text" data-testid="body">{text}</div> }.into_any()
        }
        _ => view! { <p class="hint">"It has no text."</p> }.into_any(),
    };
    let taken: Vec<(String, Value)> = fields
        .iter()
        .filter(|(name, _)| !is_message_field(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let taken = (!taken.is_empty()).then(|| {
        let items = taken
            .into_iter()
            .map(|(name, value)| {
                view! {
                    <div class="facts__line">
                        <dt>{field_words(&name)}</dt>
                        <dd><Plain value/></dd>
                    </div>
                }
            })
            .collect_view();
        view! {
            <div class="panel" data-testid="extracted">
                <h3 class="group__title">"Taken from the message"</h3>
                <dl class="facts">{items}</dl>
            </div>
        }
    });
    let original = format!("/api/emails/{email_id}/raw?tenant_id={tenant_id}");
    view! {
        <section class="section" aria-labelledby="content">
            <div class="section__head">
                <h2 id="content">"Message"</h2>
                <a class="button" href=original download rel="external" data-testid="download">
                    <Icon glyph=Glyph::Download/>
                    "Download the original"
                </a>
            </div>
            {taken}
            {body}
            <details class="details">
                <summary>"All fields that a rule can name"</summary>
                <Members members=fields/>
            </details>
        </section>
    }
}
