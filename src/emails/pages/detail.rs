//! One message: how it was decided, why, and what it says.

use std::time::Duration;

use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_params_map},
};

use super::{
    actions::{Actions, ChangeIntent, INTENT, MessageActions, NoIntents},
    beside::{Beside, BesideLinks, Step},
    carried::Carried,
    content::{Content, Contents, Said},
    deliveries::{Deliveries, Payloads},
    history::{History, KnownHistory},
    marks::{DecisionMark, NotRead},
    query::ListQuery,
    selection::{Word, Words},
    table::{length_of, subject_of},
    told::tell_outcome,
    verdict::Verdicts,
    why::{Envelope, FromLine, WhyThisIntent},
};
use crate::{
    app::{
        Allowed, CurrentTenant, MAIN, MyAccess, Trail, may, on_change, tenant_page, use_last_list, use_tenant,
    },
    auth::authority::Permission,
    deliveries::{api::RetryDelivery, dto::DeliveryStatus},
    emails::{
        api::{get_email, get_history},
        dto::{ClassificationMethod, Decision, EmailDetail, EmailStatus, Past},
    },
    intents::{api::list_intents, dto::Intent},
    shared::{EmailId, Problem, TenantId},
    ui::{
        bidi::unturned,
        each::Each,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::{effect, memo},
        resource::{Loaded, load, load_again},
        saving::on_done,
        time::Timestamp,
        toast::use_toasts,
    },
};

/// One message, with the ways to those beside it.
#[component]
pub fn MessagePage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let address = memo(move || params.read().get("email_id").unwrap_or_default());
    let email_id = memo(move || read_id(&address.read()));
    let last_list = use_last_list();
    effect(move || {
        if let Ok(tenant) = tenant.id() {
            Trail::restore(tenant, |query| ListQuery::parse(query).as_last());
        }
    });
    let came_from = move || tenant.id().map(|id| last_list(&id)).unwrap_or_default();
    let list = move || tenant.page("/messages") + &came_from().query;
    let beside = Beside::new(tenant, email_id, Signal::derive(move || came_from().filter));
    // What is said of a message can be taken back from the next one, too.
    let words = Words::new();
    use_ways(email_id, list, beside);
    let on_decided = use_way_on(list, beside);
    // So that the way back leads to its row.
    effect(move || {
        if let Ok(id) = email_id.get() {
            Trail::note_read(id);
        }
    });
    view! {
        <nav class="back" aria-label="Other messages">
            <a href=list>
                <Icon glyph=Glyph::Back/>
                "Messages"
            </a>
            <BesideLinks beside/>
        </nav>
        // Each with elements of its own: what was typed, chosen or answered on one is nothing of the next.
        <Each each=move || [address.get()] key=String::clone let:address>
            <Message tenant here=email_id email_id=read_id(&address) words on_decided/>
        </Each>
    }
}

fn read_id(text: &str) -> Result<EmailId, Problem> {
    text.parse().map_err(|_| Problem::not_found("Message", text))
}

/// While it waits for its decision the page asks again, so that the operator sees it come.
#[component]
fn Message(
    tenant: CurrentTenant,
    /// The one that the address names. As long as an answer is on its way, a message that was left goes on.
    here: Memo<Result<EmailId, Problem>>,
    email_id: Result<EmailId, Problem>,
    words: Words,
    /// It was decided by a key, which is done.
    on_decided: Callback<EmailId>,
) -> impl IntoView {
    let email_id = StoredValue::new(email_id);
    let actions = MessageActions::new(words, email_id);
    let retry = form_action::<RetryDelivery>();
    let toasts = use_toasts();
    on_done(retry.value(), move |()| toasts.done("The delivery is on its way again."));
    Payloads::provide();
    let said = move || tenant.id().map(|tenant| words.version(&tenant)).unwrap_or_default();
    let versions = move || (retry.version().get(), said());
    let detail = load_again(
        move || tenant.id(),
        versions,
        move |tenant| async move { get_email(tenant?, email_id.get_value()?).await },
    );
    let history = load_again(
        move || tenant.id(),
        versions,
        move |tenant| async move { get_history(tenant?, email_id.get_value()?).await },
    );
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    let contents = Contents::new(tenant, email_id);
    let retry_intents = Callback::new(move |()| intents.refetch());
    let look = look_beside(tenant, here, email_id, versions, detail, history);
    ask_while_waiting(detail, look);
    on_change(look.ask);
    let me = use_context::<MyAccess>();
    let shown = StoredValue::new(None);
    use_keys(tenant, here, shown, detail, actions, on_decided);
    let told = tell_outcome(words, email_id, detail);
    view! {
        <p class="visually-hidden" role="status" data-testid="told">{told}</p>
        <Load
            heading="Message"
            data=move || async move {
                // The message last: what it comes to while the others are awaited would be missed.
                let (said, intents, history) = (contents.said().await, intents.await, history.await);
                let may_work = may(me, &untrack(|| tenant.id())?, Permission::WorkMessages).await;
                Ok(((detail.await?, detail.is_old()), may_work, history, intents, said))
            }
            retry=move || detail.refetch()
            view=move |((detail, is_old), may_work, history, intents, said): Answered| {
                // The page may have been left by the time of the answer.
                let email = &detail.email;
                let _ = shown.try_set_value(may_work.then(|| (email.email_id, email.intent.is_some())));
                view! {
                    <MessageView
                        detail
                        is_old
                        may_work
                        history
                        intents
                        retry_intents
                        contents
                        said
                        actions
                        retry
                        context=tenant.label()
                    />
                }
            }
        />
    }
}

/// What there is to choose from, or why that could not be had.
type KnownIntents = Result<Vec<Intent>, Problem>;

/// A message, and whether that is as it was before; whether its reader may do something with it, and what stands beside it.
type Answered = ((EmailDetail, bool), bool, KnownHistory, KnownIntents, Said);

/// `j` and `k` lead to the next message of the list and the one before, `u` back to the list, as it was narrowed.
fn use_ways(
    email: Memo<Result<EmailId, Problem>>,
    list: impl Fn() -> String + Copy + 'static,
    beside: Beside,
) {
    let navigate = use_navigate();
    on_key(move |key| {
        let Ok(id) = email.get_untracked() else { return false };
        let address = match key {
            "j" => beside.next(id, Step::Older),
            "k" => beside.next(id, Step::Newer),
            "u" => Some(untrack(list)),
            _ => return false,
        };
        if let Some(address) = address {
            navigate(&address, NavigateOptions::default());
        }
        true
    });
}

/// Leads on from a message that was decided by a key: to the next of the list, or back to it from the last. Where it is not
/// known which that is, one stays.
fn use_way_on(list: impl Fn() -> String + Copy + Send + Sync + 'static, beside: Beside) -> Callback<EmailId> {
    let navigate = use_navigate();
    Callback::new(move |id| {
        if let Some(address) = beside.way_on(id, list) {
            navigate(&address, NavigateOptions::default());
        }
    })
}

/// `e` accepts and `#` rejects, both of which go on once that is done, unless the message was left by then; `r` runs again,
/// `i` leads to the choice of its intent, `n` says that it has another than it has: of the message that one sees. `shown` is
/// that one, and whether it has an intent; none for who may only look.
fn use_keys(
    tenant: CurrentTenant,
    here: Memo<Result<EmailId, Problem>>,
    shown: StoredValue<Option<(EmailId, bool)>>,
    detail: Loaded<EmailDetail>,
    actions: MessageActions,
    on_decided: Callback<EmailId>,
) {
    let path = use_location().pathname;
    on_key(move |key| {
        // In the place of a message that was there, a problem may stand.
        let is_there = detail.with_untracked(|answer| matches!(answer, Some(Ok(_))));
        let seen = shown.get_value().filter(|(id, _)| is_there && here.get_untracked() == Ok(*id));
        let (Some((id, has_intent)), Ok(tenant)) = (seen, untrack(|| tenant.id())) else { return false };
        match key {
            "e" | "#" => {
                let decision = if key == "e" { Decision::Accepted } else { Decision::Rejected };
                let from = path.get_untracked();
                actions.decide(tenant, id, decision, move || {
                    // Another page takes its time to be fetched, and this one stands until then.
                    if shown.try_get_value().is_some() && path.get_untracked() == from {
                        on_decided.try_run(id);
                    }
                });
            }
            "r" => {
                actions.say(tenant, id, Word::RunAgain);
            }
            "i" => host::focus(INTENT),
            "n" => {
                if has_intent {
                    actions.say(tenant, id, Word::Correct(None));
                    // To where the keys are the page's, as after Enter in the choice.
                    host::focus(MAIN);
                } else {
                    // Which it has is all that there is to say of one that has none.
                    host::focus(INTENT);
                }
            }
            _ => return false,
        }
        true
    });
}

/// Calls `pressed` with each key that is meant for the page, as long as it is looked at; one that is held down counts
/// once. Where that says so, the key does nothing else.
fn on_key(pressed: impl Fn(&str) -> bool + Clone + 'static) {
    effect(move || {
        let pressed = pressed.clone();
        let handle = window_event_listener(ev::keydown, move |event| {
            if host::is_shortcut(&event) && !event.repeat() && pressed(&host::key_of(&event)) {
                event.prevent_default();
            }
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
/// reads a message is not to lose their place in it, nor the pictures that they let in. What was asked for before the
/// answer that is shown, or before the reader's own word was answered, says how the message stood then.
fn look_beside(
    tenant: CurrentTenant,
    here: Memo<Result<EmailId, Problem>>,
    email: StoredValue<Result<EmailId, Problem>>,
    versions: impl Fn() -> (usize, u32) + Copy + Send + Sync + 'static,
    detail: Loaded<EmailDetail>,
    history: Loaded<Past>,
) -> Look<impl Fn() + Copy + Send + Sync + 'static> {
    // The last turn that was asked in, and the last that is shown.
    let (turn, shown) = (StoredValue::new(0_u64), StoredValue::new(0_u64));
    let asked = Action::new(move |(tenant, email): &(TenantId, EmailId)| {
        let (tenant, email) = (tenant.clone(), *email);
        turn.update_value(|turn| *turn += 1);
        let when = (turn.get_value(), untrack(versions));
        async move { (when, get_email(tenant.clone(), email).await, get_history(tenant, email).await) }
    });
    effect(move || {
        let Some(((turn, of), Ok(found), past)) = asked.value().get() else { return };
        if turn <= shown.get_value() || of != untrack(versions) {
            return;
        }
        shown.set_value(turn);
        // Also where it says the same: the page was made of it as of something from before.
        if detail.is_old()
            || detail.with_untracked(|known| !matches!(known, Some(Ok(known)) if *known == found))
        {
            detail.put(Ok(found));
        }
        if history.with_untracked(|known| known == Some(&past)) {
            history.is_still_so();
        } else if past.is_ok() {
            history.put(past);
        }
    });
    let ask = move || {
        if let (Ok(tenant), Ok(email)) = (untrack(|| tenant.id()), email.get_value())
            && here.get_untracked() == Ok(email)
        {
            asked.dispatch((tenant, email));
        }
    };
    Look { ask, version: asked.version() }
}

/// Asks again as long as the message or a delivery of it is not done: soon at first, then ever less often.
fn ask_while_waiting(detail: Loaded<EmailDetail>, look: Look<impl Fn() + Copy + Send + Sync + 'static>) {
    let asked = StoredValue::new(0_u32);
    effect(move || {
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
    /// Whether that is as it was before: it could not be read anew.
    is_old: bool,
    /// Whether the reader may do something with it. Found out before: what stands here is not to be built anew, focus
    /// and all, with each answer.
    may_work: bool,
    history: KnownHistory,
    intents: KnownIntents,
    /// Asks for the intents again.
    retry_intents: Callback<()>,
    contents: Contents,
    said: Said,
    actions: MessageActions,
    retry: FormAction<()>,
    context: Signal<String>,
) -> impl IntoView {
    let EmailDetail {
        email,
        fields,
        classification,
        decided_by,
        envelope,
        run,
        intent_version,
        verdicts,
        deliveries,
        ..
    } = detail;
    let (tenant_id, email_id) = (email.tenant_id.clone(), email.email_id);
    let (status, decision, decided_at) = (email.status, email.decision, email.decided_at);
    let outcome = decision.filter(|_| status == EmailStatus::Done).map_or("waiting", |found| found.as_str());
    let intent_id = email.intent.as_ref().and_then(|intent| intent.intent_id);
    let edit = intent_id.map(|id| tenant_page(&tenant_id, &format!("/intents/{id}/edit?email={email_id}")));
    let trial = {
        let intent = intent_id.map(|id| format!("&intent={id}")).unwrap_or_default();
        tenant_page(&tenant_id, &format!("/try?email={email_id}{intent}"))
    };
    let is_corrected =
        classification.as_ref().is_some_and(|found| found.method == ClassificationMethod::Corrected);
    let is_waiting = status != EmailStatus::Done;
    let suggested = classification.as_ref().and_then(|found| found.suggestion.as_ref());
    let chosen =
        suggested.filter(|found| found.only_suggested.is_some()).map(|found| found.intent_id).or(intent_id);
    let subject = subject_of(&email);
    let length = length_of(&subject);
    let explanation = email.explanation.clone();
    let parse_error = email.parse_error.clone();
    let said_of = may_work.then(|| (tenant_id.clone(), actions));
    let field = |name: &str| fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let cc = field("header.cc");
    // As it is written: where it names several, the sender may be the first.
    let reply_to = Some(field("header.reply-to"))
        .filter(|written| written.contains(',') || field("reply_to") != email.sender_email)
        .unwrap_or_default();
    view! {
        <article class="message" data-testid="message" data-status=status.as_str()>
            <PageHead title=subject context/>
            <FromLine email=email.clone()/>
            // As long as it is closed, the heading is cut.
            {length
                .map(|length| {
                    view! {
                        <details class=format!("details whole-subject {length}") data-testid="whole-subject">
                            <summary>"The whole subject"</summary>
                        </details>
                    }
                    .into_any()
                })}
            <section class=format!("outcome outcome--{outcome}") aria-label="Decision" data-testid="outcome">
                <div class="outcome__head">
                    <DecisionMark status decision/>
                    <span class="hint">
                        {decided_by.map(|who| format!("by {who} "))}
                        {decided_at.map(|at| view! { <Timestamp at/> }.into_any())}
                        {(run > 1).then(|| format!(" · run {run}"))}
                        {intent_version.map(|version| format!(" · version {version} of its intent"))}
                    </span>
                </div>
                <p class="outcome__why" dir="auto" data-testid="explanation">{unturned(&explanation)}</p>
                {parse_error.map(|error| view! { <NotRead error/> }.into_any())}
            </section>
            {may_work.then(|| view! { <Actions tenant_id=tenant_id.clone() email_id status actions/> }.into_any())}
            <div class="message__columns message__columns--read">
                <div class="message__text">
                    <Content fields tenant_id=tenant_id.clone() email_id contents said/>
                </div>
                <div class="message__side">
                    <Envelope email reply_to cc/>
                    {envelope.map(|carried| view! { <Carried carried/> }.into_any())}
                    {may_work
                        .then(|| match intents {
                            Ok(intents) => {
                                view! {
                                    <ChangeIntent
                                        tenant_id
                                        email_id
                                        intents
                                        chosen
                                        is_settled={is_corrected && !is_waiting}
                                        is_waiting
                                        is_old
                                        actions
                                    />
                                }
                                .into_any()
                            }
                            Err(problem) => view! { <NoIntents problem retry=retry_intents/> }.into_any(),
                        })}
                    {classification.map(|classification| view! { <WhyThisIntent classification/> }.into_any())}
                    {may_work.then(|| view! { <MoreWays trial edit/> }.into_any())}
                </div>
                <div class="message__main">
                    <Verdicts verdicts status/>
                    <Deliveries deliveries retry/>
                    <History past=history email_id present=run said_of/>
                </div>
            </div>
        </article>
    }
    .into_any()
}

/// The ways to try the message out, for those who may: with its intent as one changes it, and with what is so already.
#[component]
fn MoreWays(trial: String, edit: Option<String>) -> impl IntoView {
    view! {
        <p class="actions__more">
            <Allowed permission=Permission::Configure>
                {edit
                    .clone()
                    .map(|edit| {
                        view! {
                            <a href=edit data-testid="edit-its-intent">"Edit its intent, with this message to try"</a>
                        }
                        .into_any()
                    })}
            </Allowed>
            <a href=trial data-testid="try-changes">"Try changes on this message"</a>
        </p>
    }
}
