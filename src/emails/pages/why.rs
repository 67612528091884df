//! Who wrote a message, and why it was taken to want what it was taken to want.

use leptos::prelude::*;
use leptos_router::location::Url;

use super::table::{address_parts, sender_of};
use crate::{
    app::tenant_page,
    classifier::dto::{Suggestion, percent},
    emails::dto::{Classification, ClassificationMethod, Email},
    ui::{bidi::unturned, time::Timestamp},
};

/// Who wrote, and when: below the subject, where the page is narrow, and the envelope far below.
#[component]
pub fn FromLine(email: Email) -> impl IntoView {
    let (name, address) = sender_of(&email);
    view! {
        <p class="from-line" data-testid="from-line">
            "From " <bdi>{name.unwrap_or(address)}</bdi> " · " <Timestamp at=email.received_at/>
        </p>
    }
    .into_any()
}

/// Who wrote to whom, when, and what they were taken to want.
#[component]
pub fn Envelope(
    email: Email,
    /// Whom it asks to answer, where that is another than who wrote. Empty where there is none, as the next.
    reply_to: String,
    cc: String,
) -> impl IntoView {
    let (name, address) = sender_of(&email);
    let cc = (!cc.is_empty()).then(|| {
        // Of many addresses the first lines are shown.
        let cc = unturned(&cc);
        let title = cc.clone();
        view! { <div class="facts__line"><dt>"Cc"</dt><dd class="clamped" title=title>{cc}</dd></div> }
            .into_any()
    });
    let intent = match email.intent {
        None => view! { <span class="hint">"No intent"</span> }.into_any(),
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
                <div class="facts__line"><dt>"From"</dt><dd>{mailbox(name, &address)}</dd></div>
                // Whole: by it a fraud shows.
                {(!reply_to.is_empty()).then(|| view! { <div class="facts__line"><dt>"Reply-To"</dt><dd>{unturned(&reply_to)}</dd></div> }.into_any())}
                <div class="facts__line"><dt>"To"</dt><dd>{mailbox(None, &unturned(&email.recipient_email))}</dd></div>
                {cc}
                <div class="facts__line"><dt>"Received"</dt><dd><Timestamp at=email.received_at/></dd></div>
                <div class="facts__line"><dt>"Status"</dt><dd>{email.status.as_str()}</dd></div>
                <div class="facts__line"><dt>"Intent"</dt><dd>{intent}</dd></div>
                {labels}
                <div class="facts__line"><dt>"Message-ID"</dt><dd><code>{email.message_id}</code></dd></div>
            </dl>
        </section>
    }
}

/// A name, and its address in a line below it. The lines are the text's own, so that they can be counted where they are cut.
fn mailbox(name: Option<String>, address: &str) -> AnyView {
    let class = if name.is_some() { "hint breakable" } else { "breakable" };
    let (local, domain) = address_parts(address);
    view! {
        {name.map(|name| view! { <bdi>{name}</bdi> " " <br/> }.into_any())}
        // It is broken within a word only where a part of it has no room in a line.
        <bdi class=class>{local}<wbr/>{domain}</bdi>
    }
    .into_any()
}

/// Why the message was taken to want this, and what kept the other intents out.
#[component]
pub fn WhyThisIntent(classification: Classification) -> impl IntoView {
    let Classification { method, intent, because, considered, suggestion } = classification;
    let sentence = match (method, intent) {
        (ClassificationMethod::Requested, Some(intent)) => format!("{intent}: it was asked for."),
        (ClassificationMethod::Match, Some(intent)) => format!("{intent}: its conditions hold."),
        (ClassificationMethod::Classifier, Some(intent)) => format!("{intent}: it reads like its examples."),
        (ClassificationMethod::Corrected, Some(intent)) => format!("{intent}: a person chose it."),
        (ClassificationMethod::Corrected, None) => "None: a person said that none fits.".to_owned(),
        _ => "No intent was found.".to_owned(),
    };
    let because = (!because.is_empty()).then(|| {
        let items = because.into_iter().map(|reason| view! { <li>{reason}</li> }.into_any()).collect_view();
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
            {suggestion.map(|suggestion| view! { <Classifier suggestion/> }.into_any())}
            {others}
        </section>
    }
}

/// What the classifier took the message for: how sure it was, by which words, and what came next.
#[component]
fn Classifier(suggestion: Suggestion) -> impl IntoView {
    let Suggestion { intent, probability, only_suggested, words, runners_up, .. } = suggestion;
    // Where it gave the intent, that was said already.
    let sentence = only_suggested.map(|why| {
        view! { <p>{format!("It looks like {intent} ({} sure), but {why}.", percent(probability))}</p> }
            .into_any()
    });
    let words: Vec<_> = words.into_iter().map(|word| (word.word, format!("+{:.2}", word.weight))).collect();
    let next: Vec<_> = runners_up.into_iter().map(|next| (next.intent, percent(next.probability))).collect();
    let words = (!words.is_empty()).then(|| {
        view! {
            <h3 class="group__title">"Words that speak for it"</h3>
            <Facts lines=words/>
        }
        .into_any()
    });
    let next = (!next.is_empty()).then(|| {
        view! {
            <h3 class="group__title">"Next likely"</h3>
            <Facts lines=next/>
        }
        .into_any()
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
            .into_any()
        })
        .collect_view();
    view! { <dl class="facts">{items}</dl> }
}
