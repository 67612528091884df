//! What a backtest found: the messages that would be decided or judged otherwise, or have other fields.

use leptos::prelude::*;

use crate::{
    app::tenant_page,
    backtests::dto::{BacktestChange, FieldDifference, Said, VerdictDifference},
    emails::{
        dto::{Decision, EmailIntent, EmailStatus},
        pages::{DecisionMark, VerdictMark, shown_subject},
    },
    shared::{EmailId, TenantId},
    ui::{
        bidi::unturned,
        each::Each,
        host,
        icons::{Glyph, Icon},
        only::Only,
    },
};

/// How many are shown at first, and more each time: all at once would not be read.
const SHOWN: usize = 100;

/// The messages that would come to something else, each before and after, and why.
#[component]
pub fn Changes(
    changes: Vec<BacktestChange>,
    tenant_id: TenantId,
    /// Shows what the draft does to a message of this id and title, step by step.
    on_try: Callback<(EmailId, String)>,
) -> impl IntoView {
    let total = changes.len();
    let shown = RwSignal::new(SHOWN.min(total));
    let changes = StoredValue::new(changes);
    let listed = move || changes.with_value(|all| all.iter().take(shown.get()).cloned().collect::<Vec<_>>());
    let card = move |change: BacktestChange| {
        let href = tenant_page(&tenant_id, &format!("/messages/{}", change.email_id));
        view! { <ChangeCard change href on_try/> }
    };
    let has_more = move || shown.get() < total;
    let more_words = move || format!("Show {} more", (total - shown.get()).min(SHOWN));
    let show_more = move |_| {
        let before = shown.get_untracked();
        let first = changes.with_value(|all| all.get(before).map(|change| link_id(change.email_id)));
        shown.set(total.min(before + SHOWN));
        // The button goes down, or away: the keyboard is at the first that it brought, once that stands there.
        if let Some(first) = first {
            request_animation_frame(move || host::focus(&first));
        }
    };
    view! {
        <ol class="cards" data-testid="backtest-changes">
            <Each each=listed key=|change| change.email_id children=card/>
        </ol>
        {(total > SHOWN)
            .then(|| {
                view! {
                    <div class="marks">
                        <p class="hint" role="status" data-testid="changes-shown">
                            {move || format!("{} of {total} are shown.", shown.get())}
                        </p>
                        <Only when=has_more>
                            <button
                                type="button"
                                class="button button--small"
                                data-testid="more-changes"
                                on:click=show_more
                            >
                                <Icon glyph=Glyph::Down/>
                                {more_words}
                            </button>
                        </Only>
                    </div>
                }
                .into_any()
            })}
    }
}

/// What the link to a message goes by on the page. A message stands in one list only.
fn link_id(email_id: EmailId) -> String {
    format!("change-{email_id}")
}

#[component]
fn ChangeCard(change: BacktestChange, href: String, on_try: Callback<(EmailId, String)>) -> impl IntoView {
    let BacktestChange {
        email_id,
        subject,
        sender_email,
        before,
        after,
        verdict_differences,
        field_differences,
        ..
    } = change;
    let (subject, sender_email) = (shown_subject(&subject), unturned(&sender_email));
    let title = format!("{subject} · {sender_email}");
    let (intent, decision, why) = match after {
        Some(after) => (after.intent, Some(after.decision), after.explanation),
        None => (None, None, String::new()),
    };
    let differences = verdict_differences
        .into_iter()
        .map(|difference| view! { <Difference difference/> }.into_any())
        .collect_view();
    let fields = field_differences
        .into_iter()
        .map(|difference| view! { <FieldChange difference/> }.into_any())
        .collect_view();
    view! {
        <li class="card" data-testid="change">
            // How it was decided, in a tab of its own: the draft stays here.
            <a id=link_id(email_id) href=href target="_blank" class="breakable">
                <bdi>{subject}</bdi>
                <span class="visually-hidden">" (opens in a new tab)"</span>
            </a>
            <p class="hint breakable">{sender_email}</p>
            <dl class="change">
                <Side words="Before" intent=before.intent decision=before.decision/>
                <Side words="After" intent decision/>
            </dl>
            <p class="card__reason">{why}</p>
            <ul class="reasons">{differences}{fields}</ul>
            <button
                type="button"
                class="button button--small"
                data-testid="change-steps"
                on:click=move |_| on_try.run((email_id, title.clone()))
            >
                <Icon glyph=Glyph::Trial/>
                "Each step of after"
            </button>
        </li>
    }
}

#[component]
fn Side(words: &'static str, intent: Option<EmailIntent>, decision: Option<Decision>) -> impl IntoView {
    let intent = intent.map_or_else(|| "no intent".to_owned(), |intent| intent.name);
    view! {
        <div>
            <dt>{words}</dt>
            <dd>
                <DecisionMark status=EmailStatus::Done decision/>
                <span class="hint breakable">{intent}</span>
            </dd>
        </div>
    }
}

/// A rule that says something else.
#[component]
fn Difference(difference: VerdictDifference) -> impl IntoView {
    let VerdictDifference { demand, before, after, .. } = difference;
    let side = |said: Option<Said>, none: &'static str| match said {
        Some(said) => view! {
            <VerdictMark verdict=said.verdict/>
            " "
            <span class="hint">{said.reason}</span>
        }
        .into_any(),
        None => view! { <span class="hint">{none}</span> }.into_any(),
    };
    view! {
        <li>
            <p>{demand}</p>
            <p>{side(before, "was not asked")} " → " {side(after, "is not asked")}</p>
        </li>
    }
}

/// A field in which extractors find something else.
#[component]
fn FieldChange(difference: FieldDifference) -> impl IntoView {
    let FieldDifference { field_name, before, after } = difference;
    let side = |value: Option<String>, none: &'static str| match value {
        Some(value) => view! { <bdi>{unturned(&value)}</bdi> }.into_any(),
        None => view! { <span class="hint">{none}</span> }.into_any(),
    };
    view! {
        <li data-testid="field-change">
            <p>
                <code class="name">{field_name}</code>
            </p>
            <p class="breakable">{side(before, "had no value")} " → " {side(after, "has no value")}</p>
        </li>
    }
}
