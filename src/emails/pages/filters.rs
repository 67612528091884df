//! The filters of the list.

use leptos::{
    ev::SubmitEvent,
    html::{Details, Input},
    prelude::*,
};
use leptos_router::components::Form;

use super::{
    deliveries::status_words,
    marks::{decision_words, verdict_words},
    query::{ListQuery, NO_INTENT, WAITING, YES},
};
use crate::{
    app::{CurrentTenant, MAIN},
    deliveries::dto::DeliveryStatus,
    emails::dto::{Decision, EmailStatus},
    intents::api::list_intents,
    rules::dto::Verdict,
    ui::{
        days::DaysFields,
        form::{Choice, FilterButtons, FiltersFold, follow, or_any, without_buttons},
        host,
        icons::{Glyph, Icon},
        react::memo,
        resource::load,
        step::Step,
    },
};

/// The id of the search field, which `/` leads to.
pub const SEARCH: &str = "message-search";

/// A plain form whose fields are the address's query. On a narrow page those behind the search unfold by what tells how many
/// are set: they would stand before the messages. On a wide one those that are seldom set do, as long as none of them is.
#[component]
pub fn Filters(tenant: CurrentTenant, query: Memo<ListQuery>) -> impl IntoView {
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    let decisions = or_any(
        Decision::ALL.iter().map(|decision| (decision.to_string(), decision_words(*decision).2.to_owned())),
    );
    let rules = or_any([(YES.to_owned(), verdict_words(Verdict::Error).2.to_owned())]);
    let statuses = or_any(
        [
            (WAITING, "Waiting"),
            (EmailStatus::Queued.as_str(), "Waiting: in the queue"),
            (EmailStatus::Processing.as_str(), "Waiting: being decided"),
            (EmailStatus::Done.as_str(), "Done"),
        ]
        .map(|(value, words)| (value.to_owned(), words.to_owned())),
    );
    let deliveries = or_any(
        DeliveryStatus::ALL.iter().map(|status| (status.to_string(), status_words(*status).to_owned())),
    );
    let text = memo(move || query.read().filter.q.clone().unwrap_or_default());
    let search = NodeRef::<Input>::new();
    follow(search, text, None);
    let fold = NodeRef::<Details>::new();
    // Would they go with the keyboard, the list would move from under the pointer that is pressed there.
    let unfold = move |_| {
        if let Some(fold) = fold.get_untracked() {
            fold.set_open(true);
        }
    };
    let chosen = Signal::derive(move || query.read().intent().unwrap_or_default());
    view! {
        <Form
            method="get"
            action=move || tenant.page("/messages")
            on_form_data=without_buttons()
            attr:class="filters filters--messages"
            attr:role="search"
            // What was searched for is there to be walked through. A select sends its form at each step of its keys; and
            // what sends it by itself, no button, finds somebody who types on.
            on:submit=|event: SubmitEvent| {
                if event.submitter().is_some() && host::focused_id().as_deref() == Some(SEARCH) {
                    host::focus(MAIN);
                }
            }
        >
            <Step>
                // A label comes by a link; the other filters narrow its list further.
                {move || {
                    query
                        .read()
                        .filter
                        .label
                        .clone()
                        .map(|label| {
                            view! {
                                <div class="field field--label" data-testid="label-filter">
                                    <span class="field__label">"Label"</span>
                                    <span class="label">{label.clone()}</span>
                                    <input type="hidden" name="label" value=label/>
                                </div>
                            }
                            .into_any()
                        })
                }}
                <label class="field field--search">
                    <span class="field__label">"Search"</span>
                    <input
                        node_ref=search
                        id=SEARCH
                        type="search"
                        name="q"
                        value=move || text.get()
                        placeholder="Sender, subject or text"
                        maxlength="200"
                        aria-keyshortcuts="/"
                    />
                </label>
                <button type="submit" class="button filters__go">
                    <Icon glyph=Glyph::Search/>
                    <span class="visually-hidden">"Search"</span>
                </button>
                <FiltersFold count=Signal::derive(move || query.read().folded()) wide="More filters" fold/>
                <Choice
                    label="Decision"
                    name="decision"
                    chosen=Signal::derive(move || {
                        query.read().filter.decision.map(|decision| decision.to_string()).unwrap_or_default()
                    })
                    options=decisions
                />
                <Choice
                    label="Status"
                    name="status"
                    chosen=Signal::derive(move || query.read().status().unwrap_or_default())
                    options=statuses
                />
                <Transition>
                    {move || {
                        let active = chosen.get();
                        Suspend::new(async move {
                            let intents = intents.await.unwrap_or_default();
                            let known = intents.into_iter().map(|intent| (intent.intent_id.to_string(), intent.name));
                            let known = known.chain([(NO_INTENT.to_owned(), "No intent".to_owned())]);
                            let options = or_any(with_active(known.collect(), active));
                            view! { <Choice label="Intent" name="intent" chosen options/> }
                        })
                    }}
                </Transition>
                // Where somebody was in them they are unfolded, until they are folded up.
                <div
                    class="filters-more"
                    class:filters-more--set=move || query.read().has_seldom()
                    on:focusin=unfold
                >
                    <Choice
                        label="Rules"
                        name="could_not_ask"
                        chosen=Signal::derive(move || {
                            if query.read().filter.could_not_ask { YES.to_owned() } else { String::new() }
                        })
                        options=rules
                    />
                    <Choice
                        label="Deliveries"
                        name="delivery"
                        chosen=Signal::derive(move || {
                            query.read().filter.delivery.map(|status| status.to_string()).unwrap_or_default()
                        })
                        options=deliveries
                    />
                    <DaysFields days=Signal::derive(move || query.read().days.clone())/>
                </div>
                <FilterButtons
                    all=Signal::derive(move || tenant.page("/messages"))
                    is_filtered=Signal::derive(move || !query.read().is_unfiltered())
                />
            </Step>
        </Form>
    }
}

/// The options with the intent by which the list is narrowed, though it is not known (any more): a choice that lacked it
/// would say `Any`, and drop it with the next filter.
fn with_active(mut known: Vec<(String, String)>, active: String) -> Vec<(String, String)> {
    if !active.is_empty() && known.iter().all(|(value, _)| *value != active) {
        let words = format!("Intent {active}");
        known.push((active, words));
    }
    known
}

#[cfg(test)]
mod tests {
    use super::with_active;

    #[test]
    fn what_narrows_the_list_stays_an_option() {
        let known = || vec![("7".to_owned(), "Orders".to_owned())];
        assert_eq!(with_active(known(), String::new()), known());
        assert_eq!(with_active(known(), "7".to_owned()), known());
        assert_eq!(with_active(known(), "9".to_owned())[1], ("9".to_owned(), "Intent 9".to_owned()));
    }
}
