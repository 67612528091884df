//! How long messages are kept: a section of the settings page. Plain forms.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::Form,
    hooks::{use_navigate, use_query_map},
    params::ParamsMap,
};

use super::{
    api::{SaveRetention, get_retention, plan_retention},
    dto::{MOST_DAYS, RetentionPlan, RetentionShown},
};
use crate::{
    app::{Allowed, CurrentTenant, use_tenant},
    auth::authority::Permission,
    shared::{Problem, TenantId},
    ui::{
        dialog::Confirm,
        form::{PlainForm, without_buttons},
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        panel::ActionProblem,
        react::memo,
        resource::{Loaded, load_again},
        saving::on_done,
        toast::use_toasts,
    },
};

/// What can be chosen: days as a form has them, and words.
const CHOICES: [(&str, &str); 7] = [
    (EVER, "For ever"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("180", "6 months (180 days)"),
    ("365", "A year (365 days)"),
    ("730", "2 years (730 days)"),
    (OTHER, "Another number of days"),
];
const EVER: &str = "ever";
const OTHER: &str = "other";

/// The days that the page's address asks about, as `plan_retention` takes them.
fn asked(query: &ParamsMap) -> Option<String> {
    Some(match query.get("keep")?.as_str() {
        EVER => String::new(),
        // Nothing is no number; the empty text would be for ever.
        OTHER => query.get("days").filter(|days| !days.trim().is_empty()).unwrap_or_else(|| "0".into()),
        days => days.to_owned(),
    })
}

fn for_days(days: Option<i32>) -> String {
    match days {
        None => "for ever".into(),
        Some(1) => "for a day".into(),
        Some(days) => format!("for {days} days"),
    }
}

type Current = Loaded<RetentionShown>;
type Planned = Loaded<Option<RetentionPlan>>;

/// What holds for everybody to read; and for administrators a form, which first says what would go.
#[component]
pub fn RetentionSection() -> impl IntoView {
    let tenant = use_tenant();
    let query = use_query_map();
    let asked = memo(move || asked(&query.read()));
    let save = form_action::<SaveRetention>();
    let saved = move || save.version().get();
    let current: Current =
        load_again(move || tenant.id(), saved, |tenant| async move { get_retention(tenant?).await });
    let planned: Planned = load_again(
        move || (tenant.id(), asked.get()),
        saved,
        |(tenant, asked)| async move {
            match asked {
                Some(days) => plan_retention(tenant?, days).await.map(Some),
                None => Ok(None),
            }
        },
    );
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(save.value(), move |()| {
        toasts.done("How long messages are kept is saved.");
        let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
        navigate(&untrack(|| tenant.page("/settings")), options);
    });
    view! {
        <section class="panel trial" aria-labelledby="retention" data-testid="retention">
            <h2 id="retention">"How long messages are kept"</h2>
            <Load
                data=move || async move { current.await }
                retry=move || current.refetch()
                view=move |shown: RetentionShown| view! { <Standing days=shown.retention.message_days/> }
            />
            <Allowed permission=Permission::Members>
                <Ask tenant current/>
                <ActionProblem outcome=save.value()/>
                <Answer tenant current planned save/>
            </Allowed>
        </section>
    }
}

/// What holds.
#[component]
fn Standing(days: Option<i32>) -> impl IntoView {
    let words = match days {
        None => "Messages are kept for ever.".to_owned(),
        Some(days) => format!(
            "Messages are kept {} from their arrival, then deleted. Those that wait for a person are kept for twice as long.",
            for_days(Some(days)),
        ),
    };
    view! {
        <p data-testid="retention-now">{words}</p>
        <p class="hint">
            "With a message goes all that hangs on it: its text, the verdicts, what was sent because of it, and what the classifier learned from its correction. What is not decided or not sent yet stays until it is. The audit log stays, with who decided what and the notes to it."
        </p>
    }
}

/// Asks what another number of days would come to. Nothing is stored.
#[component]
fn Ask(tenant: CurrentTenant, current: Current) -> impl IntoView {
    let query = use_query_map();
    view! {
        <Load
            data=move || async move { current.await }
            retry=move || current.refetch()
            view=move |shown: RetentionShown| {
                let stored = shown.retention.message_days.map(|days| days.to_string());
                let (keep, days) = query.with_untracked(|query| (query.get("keep"), query.get("days")));
                let chosen = keep.unwrap_or_else(|| match &stored {
                    None => EVER.into(),
                    Some(days) if CHOICES.iter().any(|(value, _)| value == days) => days.clone(),
                    Some(_) => OTHER.into(),
                });
                let number = days.or(stored).filter(|_| chosen == OTHER).unwrap_or_default();
                let options = CHOICES
                    .map(|(value, words)| {
                        view! { <option value=value selected=value == chosen>{words}</option> }.into_any()
                    })
                    .collect_view();
                view! {
                    <Form
                        method="get"
                        action=move || tenant.page("/settings")
                        noscroll=true
                        on_form_data=without_buttons()
                        attr:class="line-form"
                        attr:data-testid="retention-form"
                    >
                        <label class="field">
                            <span class="field__label">"Keep messages"</span>
                            <select name="keep" data-testid="retention-keep">{options}</select>
                        </label>
                        <label class="field">
                            <span class="field__label">"Days, if another number"</span>
                            <input
                                type="number"
                                name="days"
                                min="1"
                                max=MOST_DAYS.to_string()
                                step="1"
                                inputmode="numeric"
                                autocomplete="off"
                                value=number
                                data-testid="retention-days"
                            />
                        </label>
                        <button type="submit" class="button" data-testid="retention-ask">
                            <Icon glyph=Glyph::Review/>
                            "Show what would go"
                        </button>
                    </Form>
                }
            }
        />
    }
}

/// What it would come to, and the way to store it.
#[component]
fn Answer(tenant: CurrentTenant, current: Current, planned: Planned, save: FormAction<()>) -> impl IntoView {
    view! {
        <div role="status" data-testid="retention-plan">
            <Load
                data=move || async move { Ok((tenant.id()?, current.await?.etag, planned.await)) }
                retry=move || planned.refetch()
                view=move |(tenant_id, etag, planned): (
                    TenantId,
                    String,
                    Result<Option<RetentionPlan>, Problem>,
                )| {
                    match planned {
                        Ok(None) => ().into_any(),
                        Ok(Some(plan)) => view! { <Plan tenant_id etag plan save/> }.into_any(),
                        Err(problem) => view! { <Refused problem/> }.into_any(),
                    }
                }
            />
        </div>
    }
}

#[component]
fn Refused(problem: Problem) -> impl IntoView {
    let words = match problem.errors.into_iter().next() {
        Some(error) => format!("The number of days {}.", error.message),
        None => problem.detail,
    };
    view! {
        <p class="notice tone-bad">
            <Icon glyph=Glyph::Alert/>
            <span>{words}</span>
        </p>
    }
}

#[component]
fn Plan(tenant_id: TenantId, etag: String, plan: RetentionPlan, save: FormAction<()>) -> impl IntoView {
    let kept = for_days(plan.message_days);
    let would_go = plan.messages();
    let words = if plan.is_same() {
        format!("Messages are kept {kept} already.")
    } else if !plan.is_shorter() {
        format!("Kept {kept}: no message goes because of it.")
    } else {
        format!("Kept {kept}: {would_go} would go now.")
    };
    let is_pending = save.pending();
    let form = move |class: &'static str, label: &'static str| {
        let days = plan.message_days.map(|days| days.to_string()).unwrap_or_default();
        view! {
            <PlainForm action=save>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="days" value=days/>
                <input type="hidden" name="etag" value=etag/>
                <button
                    type="submit"
                    class=class
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="retention-save"
                >
                    {label}
                </button>
            </PlainForm>
        }
    };
    let way = if plan.is_same() {
        ().into_any()
    } else if plan.is_shorter() {
        view! {
            <Confirm
                id="shorten-retention"
                label=format!("Keep them {kept} …")
                glyph=Glyph::Delete
                title=format!("Keep messages {kept}?")
                testid="retention-shorten"
            >
                <p>
                    {format!("{would_go} would go in the next minutes, and others as they grow as old. They cannot be brought back.")}
                </p>
                {form("button button--danger", "Delete what is older")}
            </Confirm>
        }
        .into_any()
    } else {
        form("button button--primary", "Keep them so").into_any()
    };
    view! {
        <p class="notice tone-attention">
            <Icon glyph=Glyph::Review/>
            <span data-testid="retention-words">{words}</span>
        </p>
        {way}
    }
}
