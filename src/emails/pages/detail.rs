//! One message: how it was decided, why, and what it says.

use std::time::Duration;

use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
    location::Url,
};

use super::{
    actions::{Actions, ChangeIntent, INTENT, MessageActions},
    carried::Carried,
    content::Content,
    deliveries::Deliveries,
    history::History,
    list::subject_of,
    marks::DecisionMark,
    selection::{Word, Words},
    verdict::Verdicts,
};
use crate::{
    app::{Allowed, CurrentTenant, MyAccess, may, on_change, tenant_page, use_tenant, use_way_back},
    auth::authority::Permission,
    classifier::dto::{Suggestion, percent},
    deliveries::{api::RetryDelivery, dto::DeliveryStatus},
    emails::{
        api::{get_email, get_history},
        dto::{
            Classification, ClassificationMethod, Decision, Email, EmailDetail, EmailStatus, HistoryEntry,
        },
    },
    intents::{api::list_intents, dto::Intent},
    shared::{EmailId, Problem, TenantId},
    ui::{
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        resource::{Loaded, load},
        time::Timestamp,
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
    let actions = MessageActions::new();
    let retry = ServerAction::<RetryDelivery>::new();
    let words = Words::new();
    let versions = move || (actions.version(), retry.version().get(), words.version.get());
    let detail = load(
        move || (tenant.id(), email_id.get(), versions()),
        |(tenant, email, _)| async move { get_email(tenant?, email?).await },
    );
    let history = load(
        move || (tenant.id(), email_id.get(), versions()),
        |(tenant, email, _)| async move { get_history(tenant?, email?).await },
    );
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    let look = look_beside(tenant, email_id, detail, history);
    ask_while_waiting(detail, look);
    on_change(look.ask);
    actions.offer_back(tenant, email_id, words);
    let me = use_context::<MyAccess>();
    let way_back = use_way_back();
    let list = move || {
        let query = tenant.id().map(|id| way_back(&id)).unwrap_or_default();
        tenant.page("/messages") + &query
    };
    use_keys(tenant, email_id, words, list);
    view! {
        <p class="back">
            <a href=list>
                <Icon glyph=Glyph::Back/>
                "Messages"
            </a>
        </p>
        <Load
            heading="Message"
            data=move || async move {
                let detail = detail.await?;
                let may_work = may(me, &detail.email.tenant_id, Permission::WorkMessages).await;
                Ok((detail, may_work, history.await.unwrap_or_default(), intents.await.unwrap_or_default()))
            }
            retry=move || detail.refetch()
            view=move |(detail, may_work, history, intents): (EmailDetail, bool, Vec<HistoryEntry>, Vec<Intent>)| {
                view! { <MessageView detail may_work history intents actions retry context=tenant.label()/> }
            }
        />
    }
}

/// `e` accepts, `#` rejects, `r` runs again, `n` says that it has another intent, `u` leads back to the list, as it was narrowed.
fn use_keys(
    tenant: CurrentTenant,
    email: Memo<Result<EmailId, Problem>>,
    words: Words,
    list: impl Fn() -> String + Copy + 'static,
) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let handle = window_event_listener(ev::keydown, move |event| {
            let Ok(id) = email.get_untracked() else { return };
            if !host::is_shortcut(&event) {
                return;
            }
            let say = |word: Word| words.say(untrack(|| tenant.id()), vec![id], word);
            match event.key().as_str() {
                "e" | "#" | "r" | "n" if event.repeat() => {}
                "e" => say(Word::Decide(Decision::Accepted)),
                "#" => say(Word::Decide(Decision::Rejected)),
                "r" => say(Word::RunAgain),
                "n" => {
                    say(Word::Correct(None));
                    // Which it has instead is the next thing to say.
                    host::focus(INTENT);
                }
                "u" => navigate(&untrack(list), NavigateOptions::default()),
                _ => return,
            }
            event.prevent_default();
        });
        on_cleanup(move || handle.remove());
    });
}

fn is_undecided(detail: &EmailDetail) -> bool {
    detail.email.status != EmailStatus::Done
}

fn is_sending(detail: &EmailDetail) -> bool {
    detail.deliveries.iter().any(|delivery| delivery.status == DeliveryStatus::Pending)
}

/// Asks for the message beside the page.
#[derive(Clone, Copy)]
struct Look<Ask> {
    ask: Ask,
    /// Rises with each answer.
    version: RwSignal<usize>,
}

/// The page takes the answer over only where it says something else: every event of the tenant makes it ask, and who
/// reads a message is not to lose their place in it, nor the pictures that they let in.
fn look_beside(
    tenant: CurrentTenant,
    email: Memo<Result<EmailId, Problem>>,
    detail: Loaded<Result<EmailDetail, Problem>>,
    history: Loaded<Result<Vec<HistoryEntry>, Problem>>,
) -> Look<impl Fn() + Copy + Send + Sync + 'static> {
    let asked = Action::new(|(tenant, email): &(TenantId, EmailId)| {
        let (tenant, email) = (tenant.clone(), *email);
        async move { (get_email(tenant.clone(), email).await, get_history(tenant, email).await) }
    });
    Effect::new(move |_| {
        let Some((Ok(found), entries)) = asked.value().get() else { return };
        // Of the message from which this page has gone on meanwhile, there is nothing to show.
        if email.get_untracked() != Ok(found.email.email_id) {
            return;
        }
        if detail.with_untracked(|known| !matches!(known, Some(Ok(known)) if *known == found)) {
            detail.set(Some(Ok(found)));
        }
        if entries.is_ok() && history.with_untracked(|known| known.as_ref() != Some(&entries)) {
            history.set(Some(entries));
        }
    });
    let ask = move || {
        if let (Ok(tenant), Ok(email)) = untrack(|| (tenant.id(), email.get())) {
            asked.dispatch((tenant, email));
        }
    };
    Look { ask, version: asked.version() }
}

/// Asks again as long as the message or a delivery of it is not done: soon at first, then ever less often.
fn ask_while_waiting(
    detail: Loaded<Result<EmailDetail, Problem>>,
    look: Look<impl Fn() + Copy + Send + Sync + 'static>,
) {
    let asked = StoredValue::new(0_u32);
    Effect::new(move |_| {
        look.version.track();
        let is_waiting = detail
            .with(|answer| matches!(answer, Some(Ok(detail)) if is_undecided(detail) || is_sending(detail)));
        if !is_waiting {
            asked.set_value(0);
            return;
        }
        let times = asked.get_value();
        asked.set_value(times.saturating_add(1));
        let pause = Duration::from_millis(400 << (times / 5).min(5));
        if let Ok(timer) = set_timeout_with_handle(look.ask, pause) {
            on_cleanup(move || timer.clear());
        }
    });
}

#[component]
fn MessageView(
    detail: EmailDetail,
    /// Whether the reader may do something with it. Found out before: what stands here is not to be built anew, focus
    /// and all, with each answer.
    may_work: bool,
    history: Vec<HistoryEntry>,
    intents: Vec<Intent>,
    actions: MessageActions,
    retry: ServerAction<RetryDelivery>,
    context: Signal<String>,
) -> impl IntoView {
    let EmailDetail {
        email,
        fields,
        classification,
        decided_by,
        decided_at,
        envelope,
        run,
        intent_version,
        verdicts,
        deliveries,
        ..
    } = detail;
    let (tenant_id, email_id) = (email.tenant_id.clone(), email.email_id);
    let (status, decision) = (email.status, email.decision);
    let outcome = decision.filter(|_| status == EmailStatus::Done).map_or("waiting", |found| found.as_str());
    let intent_id = email.intent.as_ref().and_then(|intent| intent.intent_id);
    let edit = intent_id.map(|id| tenant_page(&tenant_id, &format!("/intents/{id}/edit?email={email_id}")));
    let trial = {
        let intent = intent_id.map(|id| format!("&intent={id}")).unwrap_or_default();
        tenant_page(&tenant_id, &format!("/try?email={email_id}{intent}"))
    };
    let suggested = classification.as_ref().and_then(|found| found.suggestion.as_ref());
    let chosen =
        suggested.filter(|found| found.only_suggested.is_some()).map(|found| found.intent_id).or(intent_id);
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
            {may_work.then(|| view! { <Actions tenant_id=tenant_id.clone() email_id status actions/> })}
            <p class="actions__more">
                <a href=trial data-testid="try-changes">"Try changes on this message"</a>
                <Allowed permission=Permission::Configure>
                    {edit
                        .clone()
                        .map(|edit| {
                            view! {
                                " · "
                                <a href=edit data-testid="edit-its-intent">"Edit its intent, with this message to try"</a>
                            }
                        })}
                </Allowed>
            </p>
            <div class="message__columns">
                <div class="message__side">
                    <Envelope email/>
                    {envelope.map(|carried| view! { <Carried carried/> })}
                    {may_work
                        .then(|| {
                            view! { <ChangeIntent tenant_id=tenant_id.clone() email_id intents chosen actions/> }
                        })}
                    {classification.map(|classification| view! { <WhyThisIntent classification/> })}
                </div>
                <div class="message__main">
                    <Verdicts verdicts/>
                    <Deliveries deliveries retry/>
                    <Content fields tenant_id email_id/>
                    <History entries=history/>
                </div>
            </div>
        </article>
    }
    .into_any()
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
