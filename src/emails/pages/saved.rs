//! Views of the list with names.

use leptos::{ev::MouseEvent, prelude::*, task::spawn_local};

use super::query::ListQuery;
use crate::{
    app::CurrentTenant,
    saved_filters::{
        api::{DeleteFilter, SaveFilter, delete_filter, list_saved_filters, save_filter},
        dto::SavedFilter,
    },
    shared::TenantId,
    ui::{
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        load::keep_focus,
        panel::ActionProblem,
        react::effect,
        resource::load,
        saving::on_done,
        toast::{Toasts, use_toasts},
    },
};

/// The id of the field for the name of a view.
const NAME: &str = "view-name";

/// Whether a view's query is that of the list that is shown. What they mean is compared: server and browser spell it in
/// different ways.
fn is_of(query: &str, here: &str) -> bool {
    ListQuery::parse(query).page(None) == here
}

/// Who is told that a view came or went. What is on its way outlives the page, and holds nothing of it.
#[derive(Clone, Copy)]
struct News {
    toasts: Toasts,
    /// Rises with each change that no form made.
    version: RwSignal<u32>,
}

impl News {
    /// Nothing of it matters where the page has been left.
    fn changed(self) {
        let _ = self.version.try_update(|version| *version = version.wrapping_add(1));
    }

    /// Deletes a view, and offers to take that back.
    fn delete(self, tenant: TenantId, view: SavedFilter) {
        let toasts = self.toasts;
        let number = toasts.await_undo();
        spawn_local(async move {
            match delete_filter(tenant.clone(), view.filter_id).await {
                Ok(()) => {
                    let text = format!("The view {} is deleted.", view.name);
                    let gone = Gone { news: self, number, tenant, view, text: text.clone() };
                    toasts.done_as_awaited(number, text, move || gone.clone().put_back());
                }
                Err(problem) => toasts.refused(&problem),
            }
            toasts.end_undo(number);
            self.changed();
        });
    }

    /// Tells that a view is saved, and offers to take that back where another had its name.
    fn saved(self, tenant: TenantId, now: &SavedFilter, before: Option<SavedFilter>) {
        let toasts = self.toasts;
        match before.filter(|before| before.query != now.query) {
            Some(before) => {
                let number = toasts.await_undo();
                let text = format!("The view {} is replaced.", now.name);
                let gone = Gone { news: self, number, tenant, view: before, text: text.clone() };
                toasts.done_as_awaited(number, text, move || gone.clone().put_back());
                toasts.end_undo(number);
            }
            None => toasts.done(format!("The view {} is saved.", now.name)),
        }
    }
}

/// A view that went, or was replaced, and can be put back.
#[derive(Clone)]
struct Gone {
    news: News,
    /// Under which that was awaited.
    number: u32,
    tenant: TenantId,
    view: SavedFilter,
    /// What the notice says that offers it.
    text: String,
}

impl Gone {
    /// Saves the view as it was. Where that fails, it is offered again.
    fn put_back(self) {
        let News { toasts, .. } = self.news;
        spawn_local(async move {
            let SavedFilter { name, query, .. } = self.view.clone();
            match save_filter(self.tenant.clone(), name.clone(), query).await {
                Ok(_) => toasts.done(format!("The view {name} is as it was.")),
                Err(problem) => {
                    toasts.refused(&problem);
                    let (number, text) = (self.number, self.text.clone());
                    let gone = self.clone();
                    toasts.offer_again(number, text, move || gone.clone().put_back());
                }
            }
            self.news.changed();
        });
    }
}

/// The reader's own views, each a link; and a name for the one that is looked at. Plain forms; where the browser runs the
/// page, what they do is told, and can be taken back.
#[component]
pub fn SavedFilters(tenant: CurrentTenant, query: Memo<ListQuery>) -> impl IntoView {
    let save = form_action::<SaveFilter>();
    let delete = form_action::<DeleteFilter>();
    let news = News { toasts: use_toasts(), version: RwSignal::new(0) };
    let saved = load(
        move || (tenant.id(), save.version().get(), news.version.get()),
        |(tenant, ..)| async move { list_saved_filters(tenant?).await },
    );
    // What is known when the answer comes is what was there before it.
    let known = RwSignal::new(Vec::<SavedFilter>::new());
    effect(move || {
        if let Some(Ok(found)) = saved.get() {
            known.set(found);
        }
    });
    on_done(save.value(), move |now: SavedFilter| {
        let before =
            known.with_untracked(|known| known.iter().find(|view| view.filter_id == now.filter_id).cloned());
        if let Ok(tenant) = untrack(|| tenant.id()) {
            news.saved(tenant, &now, before);
        }
    });
    let shown = StoredValue::new(Vec::new());
    let here = move || query.read().page(None);
    let (save_outcome, delete_outcome) = (save.value(), delete.value());
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <div class="views" data-testid="views">
            <Transition>
                {move || Suspend::new(async move {
                    let saved = saved.await.unwrap_or_default();
                    // Where another view is looked at, whoever searched has just left the field for the list.
                    let ids: Vec<_> = saved.iter().map(|view| view.filter_id).collect();
                    if shown.try_get_value().is_some_and(|before| before != ids) {
                        keep_focus();
                        shown.set_value(ids);
                    }
                    let is_named = {
                        let here = here();
                        saved.iter().any(|one| is_of(&one.query, &here))
                    };
                    let links = saved
                        .into_iter()
                        .map(|filter| view! { <View tenant filter delete news here=here()/> }.into_any())
                        .collect_view();
                    let can_name = !here().is_empty() && !is_named;
                    view! {
                        {links}
                        {can_name
                            .then(|| {
                                view! {
                                    // What is closed takes no focus.
                                    <details class="views__new" on:toggle=|_| host::focus(NAME)>
                                        <summary class="button button--quiet button--small">
                                            <Icon glyph=Glyph::Saved/>
                                            "Save this view"
                                        </summary>
                                        <PlainForm action=save class="views__form">
                                            <input type="hidden" name="tenant_id" value=text/>
                                            <input type="hidden" name="query" value=here/>
                                            <label>
                                                <span class="visually-hidden">"Name of the view"</span>
                                                <input
                                                    id=NAME
                                                    type="text"
                                                    name="name"
                                                    required
                                                    maxlength="120"
                                                    placeholder="Name of the view"
                                                    data-testid=NAME
                                                />
                                            </label>
                                            <button type="submit" class="button" data-testid="save-view">
                                                "Save"
                                            </button>
                                        </PlainForm>
                                    </details>
                                }
                                .into_any()
                            })}
                    }
                })}
            </Transition>
            <ActionProblem outcome=save_outcome/>
            <ActionProblem outcome=delete_outcome/>
        </div>
    }
}

#[component]
fn View(
    tenant: CurrentTenant,
    filter: SavedFilter,
    delete: FormAction<()>,
    news: News,
    here: String,
) -> impl IntoView {
    // Once: who clicks twice means it once.
    let was_clicked = StoredValue::new(false);
    let of = filter.clone();
    let on_delete = move |event: MouseEvent| {
        event.prevent_default();
        if host::is_second_click(&event) {
            return;
        }
        if let Ok(tenant) = untrack(|| tenant.id())
            && was_clicked.try_get_value() != Some(true)
        {
            let _ = was_clicked.try_set_value(true);
            news.delete(tenant, of.clone());
        }
    };
    let SavedFilter { filter_id, name, query } = filter;
    let is_here = is_of(&query, &here);
    let href = move || tenant.page("/messages") + &query;
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    let label = format!("Delete the view {name}");
    let title = label.clone();
    view! {
        <span class="view-chip" data-testid="view">
            <a href=href aria-current=is_here.then_some("page")>{name}</a>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=text/>
                <input type="hidden" name="filter_id" value=filter_id.to_string()/>
                <button type="submit" class="icon-button view-chip__delete" title=title on:click=on_delete>
                    <Icon glyph=Glyph::Close/>
                    <span class="visually-hidden">{label}</span>
                </button>
            </PlainForm>
        </span>
    }
}
