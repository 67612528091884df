//! The ways from a message to those that stand beside it in the list that its reader came from.

use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, location::Url};

use crate::{
    app::{CurrentTenant, on_change},
    emails::{
        api::get_neighbours,
        dto::{EmailFilter, Neighbours},
    },
    shared::{EmailId, Problem},
    ui::{
        icons::{Glyph, Icon},
        react::{effect, memo},
        resource::{Loaded, load},
    },
};

/// Which way one goes through the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Newer,
    Older,
}

/// The message that is read, and its neighbours. By their place, not by what the list held: it may have been decided
/// out of it since, and is still followed by the same.
#[derive(Clone, Copy)]
pub struct Beside {
    tenant: CurrentTenant,
    /// The one that the address names.
    email: Memo<Result<EmailId, Problem>>,
    found: Loaded<(EmailId, Neighbours)>,
    /// What was found last, for keys: these are no place to wait for an answer in.
    known: RwSignal<Option<(EmailId, Neighbours)>>,
    /// How messages are shown (`view` in the address): who reads one as it was laid out reads the next so, too.
    shown_as: Memo<Option<String>>,
}

impl Beside {
    /// Asks for the neighbours in the list that is narrowed so.
    pub fn new(
        tenant: CurrentTenant,
        email: Memo<Result<EmailId, Problem>>,
        filter: Signal<EmailFilter>,
    ) -> Self {
        let found = load(
            move || (tenant.id(), email.get(), filter.get()),
            |(tenant, email, filter)| async move {
                let email = email?;
                Ok((email, get_neighbours(tenant?, filter, email).await?))
            },
        );
        // A search is not made anew with each message that comes: its neighbours are found with the next step.
        on_change(move || {
            if filter.with_untracked(|filter| filter.words().next().is_none()) {
                found.refresh();
            }
        });
        let known = RwSignal::new(None);
        effect(move || known.set(found.get().and_then(Result::ok)));
        let query = use_query_map();
        let shown_as = memo(move || query.read().get("view").filter(|view| !view.is_empty()));
        Self { tenant, email, found, known, shown_as }
    }

    /// The address of the message to which a step leads from this one. None at the list's end, where a search looks no
    /// further, and while it is not known.
    pub fn next(self, from: EmailId, step: Step) -> Option<String> {
        let (of, neighbours) = self.known.get_untracked()?;
        let next = neighbour(neighbours, step).filter(|_| of == from)?;
        Some(untrack(|| self.page_of(next)))
    }

    /// The address to which one goes on from this message: the next one's, or the list's where it ends. None while that is
    /// not known.
    pub fn way_on(self, from: EmailId, list: impl Fn() -> String) -> Option<String> {
        let (_, neighbours) = self.known.get_untracked().filter(|(of, _)| *of == from)?;
        let next = neighbour(neighbours, Step::Older);
        Some(untrack(|| next.map_or_else(list, |next| self.page_of(next))))
    }

    fn page_of(self, id: EmailId) -> String {
        let view = self.shown_as.get().map(|view| format!("?view={}", Url::escape(&view)));
        self.tenant.page(&format!("/messages/{id}")) + &view.unwrap_or_default()
    }
}

fn neighbour(neighbours: Neighbours, step: Step) -> Option<EmailId> {
    match step {
        Step::Newer => neighbours.newer,
        Step::Older => neighbours.older,
    }
}

/// Links to both. At an end of the list its link is there and leads nowhere, so that the other stays under the finger. So
/// do both as long as what was found is of the message that was left.
#[component]
pub fn BesideLinks(beside: Beside) -> impl IntoView {
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let found = beside.found.await;
                let problem = found.as_ref().err().map(|problem| problem.detail.clone());
                let link = |step, words, key, glyph| {
                    let next = found.as_ref().ok().and_then(|(of, found)| Some((*of, neighbour(*found, step)?)));
                    let href = memo(move || {
                        let (of, next) = next?;
                        (*beside.email.read() == Ok(of)).then(|| beside.page_of(next))
                    });
                    let leads_nowhere = move || href.read().is_none();
                    view! {
                        <a
                            class="button button--quiet"
                            href=move || href.get()
                            aria-disabled=move || leads_nowhere().then_some("true")
                            title=problem.clone()
                            role=move || leads_nowhere().then_some("link")
                            aria-keyshortcuts=key
                            data-testid=format!("beside-{key}")
                        >
                            <Icon glyph/>
                            {words}
                        </a>
                    }
                };
                view! {
                    {link(Step::Newer, "Newer", "k", Glyph::Up)}
                    {link(Step::Older, "Older", "j", Glyph::Down)}
                }
            })}
        </Transition>
    }
}
