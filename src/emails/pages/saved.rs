//! Views of the list with names.

use leptos::{ev::MouseEvent, prelude::*, task::spawn_local};

use super::{bulk::ForWorkers, query::ListQuery};
use crate::{
    app::CurrentTenant,
    saved_filters::{
        api::{DeleteFilter, SaveFilter, delete_filter, list_saved_filters, save_filter},
        dto::SavedFilter,
    },
    shared::{FilterId, TenantId},
    ui::{
        dialog::{Confirm, DeleteForGood},
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        load::keep_focus,
        panel::ActionProblem,
        react::effect,
        resource::{Loaded, load_again},
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
        match before.filter(|before| before.query != now.query || before.is_shared != now.is_shared) {
            Some(before) => {
                let number = toasts.await_undo();
                let text = format!("The view {} is {}.", now.name, replaced(&before, now));
                let gone = Gone { news: self, number, tenant, view: before, text: text.clone() };
                toasts.done_as_awaited(number, text, move || gone.clone().put_back());
                toasts.end_undo(number);
            }
            None if now.is_shared => toasts.done(format!("The view {} is saved for everyone.", now.name)),
            None => toasts.done(format!("The view {} is saved.", now.name)),
        }
    }
}

/// What became of a view in whose place another stands: who saves one without a tick takes it from everyone else.
fn replaced(before: &SavedFilter, now: &SavedFilter) -> &'static str {
    match (before.query == now.query, before.is_shared, now.is_shared) {
        (true, true, false) => "yours alone now",
        (true, false, true) => "everyone's now",
        (false, true, false) => "replaced, and yours alone now",
        (false, false, true) => "replaced, and everyone's now",
        _ => "replaced",
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
            let SavedFilter { name, query, is_shared, .. } = self.view.clone();
            match save_filter(self.tenant.clone(), name.clone(), query, is_shared).await {
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

/// The reader's own views and those that are shared, and what makes and deletes them. Plain forms; where the browser runs
/// the page, what they do is told, and can be taken back.
#[derive(Clone, Copy)]
pub struct Views {
    tenant: CurrentTenant,
    query: Memo<ListQuery>,
    save: FormAction<SavedFilter>,
    delete: FormAction<()>,
    news: News,
    saved: Loaded<Vec<SavedFilter>>,
}

impl Views {
    pub fn new(tenant: CurrentTenant, query: Memo<ListQuery>) -> Self {
        let save = form_action::<SaveFilter>();
        let delete = form_action::<DeleteFilter>();
        let news = News { toasts: use_toasts(), version: RwSignal::new(0) };
        let saved = load_again(
            move || tenant.id(),
            move || (save.version().get(), delete.version().get(), news.version.get()),
            |tenant| async move { list_saved_filters(tenant?).await },
        );
        // What is known when the answer comes is what was there before it.
        let known = RwSignal::new(Vec::<SavedFilter>::new());
        effect(move || {
            if let Some(Ok(found)) = saved.get() {
                known.set(found);
            }
        });
        on_done(save.value(), move |now: SavedFilter| {
            let before = known
                .with_untracked(|known| known.iter().find(|view| view.filter_id == now.filter_id).cloned());
            if let Ok(tenant) = untrack(|| tenant.id()) {
                news.saved(tenant, &now, before);
            }
        });
        on_done(delete.value(), move |()| news.toasts.done("The view is deleted."));
        Self { tenant, query, save, delete, news, saved }
    }

    /// The query of the list that is looked at. Tracked.
    fn here(self) -> String {
        self.query.read().page(None)
    }

    /// The reader's own of the list that is looked at. Tracked.
    fn own(self, saved: &[SavedFilter]) -> Vec<SavedFilter> {
        let here = self.here();
        saved.iter().filter(|one| one.is_mine && is_of(&one.query, &here)).cloned().collect()
    }
}

/// Each a link.
#[component]
pub fn SavedFilters(views: Views) -> impl IntoView {
    let Views { tenant, save, delete, news, saved, .. } = views;
    let shown = StoredValue::new(Vec::new());
    let (save_outcome, delete_outcome) = (save.value(), delete.value());
    view! {
        <div class="views" data-testid="views">
            <Transition>
                {move || Suspend::new(async move {
                    let saved = saved.await.unwrap_or_default();
                    // Where another view is looked at, whoever searched has just left the field for the list.
                    let ids: Vec<_> = saved.iter().map(|view| (view.filter_id, view.is_shared)).collect();
                    if shown.try_get_value().is_some_and(|before| before != ids) {
                        keep_focus();
                        shown.set_value(ids);
                    }
                    let own = views.own(&saved);
                    let links = saved
                        .into_iter()
                        .map(|filter| view! { <View tenant filter delete news here=views.here()/> }.into_any())
                        .collect_view();
                    let own = own
                        .into_iter()
                        .map(|own| {
                            view! {
                                <ForWorkers>
                                    <Share tenant own=own.clone() save/>
                                </ForWorkers>
                            }
                            .into_any()
                        })
                        .collect_view();
                    view! {
                        {links}
                        {own}
                    }
                })}
            </Transition>
            <ActionProblem outcome=save_outcome/>
            <ActionProblem outcome=delete_outcome/>
        </div>
    }
}

/// A name for the list that is looked at, where it is narrowed, and none of the reader's views. It stands in a line that is
/// there anyway: what one narrows it by does not move away from under the finger.
#[component]
pub fn NameView(views: Views) -> impl IntoView {
    let Views { tenant, save, saved, .. } = views;
    // Of which list one could.
    let could_name = StoredValue::new(None::<String>);
    let here = move || views.here();
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let saved = saved.await.unwrap_or_default();
                // Also under a name of one's own, where others share it.
                let can_name = Some(views.here()).filter(|here| !here.is_empty() && views.own(&saved).is_empty());
                // Named just now: the field that has the focus goes.
                if can_name.is_none() && could_name.try_get_value().flatten() == Some(views.here()) {
                    keep_focus();
                }
                let _ = could_name.try_set_value(can_name.clone());
                can_name.map(|_| {
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
                                <ForWorkers>
                                    <label class="check">
                                        <input
                                            type="checkbox"
                                            name="is_shared"
                                            value="true"
                                            data-testid="share-view"
                                        />
                                        <span>"Shared with everyone"</span>
                                    </label>
                                </ForWorkers>
                                <button type="submit" class="button" data-testid="save-view">
                                    "Save"
                                </button>
                            </PlainForm>
                        </details>
                    }
                    .into_any()
                })
            })}
        </Transition>
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
    let SavedFilter { filter_id, name, query, is_shared, may_change, is_mine } = filter;
    let is_here = is_of(&query, &here);
    let another = name.clone();
    let href = move || tenant.page("/messages") + &query;
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    let label = format!("Delete the view {name}");
    let title = label.clone();
    view! {
        <span class="view-chip" data-testid="view">
            <a href=href aria-current=is_here.then_some("page")>
                {is_shared
                    .then(|| {
                        view! {
                            <Icon glyph=Glyph::Members/>
                            <span class="visually-hidden">"Shared: "</span>
                        }
                        .into_any()
                    })}
                {name}
            </a>
            {(may_change && !is_mine)
                .then(|| view! { <DeleteAnothers tenant filter_id name=another delete/> }.into_any())}
            {(may_change && is_mine)
                .then(|| {
                    view! {
                        <PlainForm action=delete>
                            <input type="hidden" name="tenant_id" value=text/>
                            <input type="hidden" name="filter_id" value=filter_id.to_string()/>
                            <button type="submit" class="icon-button view-chip__delete" title=title on:click=on_delete>
                                <Icon glyph=Glyph::Close/>
                                <span class="visually-hidden">{label}</span>
                            </button>
                        </PlainForm>
                    }
                    .into_any()
                })}
        </span>
    }
}

/// Asks an administrator first: saved again, it would be theirs, and take the place of what they have under its name.
#[component]
fn DeleteAnothers(
    tenant: CurrentTenant,
    filter_id: FilterId,
    name: String,
    delete: FormAction<()>,
) -> impl IntoView {
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <Confirm
            id=format!("delete-view-{filter_id}")
            label="Delete …"
            of=format!("the view {name}")
            title=format!("Delete the view {name} for everyone?")
            testid="delete-anothers"
        >
            <p>"Somebody else shares it. It cannot be brought back."</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=text/>
                <input type="hidden" name="filter_id" value=filter_id.to_string()/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        </Confirm>
    }
}

/// Gives a view of one's own to everyone, or keeps it to oneself again.
#[component]
fn Share(tenant: CurrentTenant, own: SavedFilter, save: FormAction<SavedFilter>) -> impl IntoView {
    let SavedFilter { filter_id, name, query, is_shared, .. } = own;
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    let words = if is_shared { "Stop sharing this view" } else { "Share this view" };
    let wanted = if is_shared { "false" } else { "true" };
    let of = format!(": {name}");
    view! {
        <PlainForm action=save>
            <input type="hidden" name="tenant_id" value=text/>
            <input type="hidden" name="name" value=name/>
            <input type="hidden" name="query" value=query/>
            <input type="hidden" name="is_shared" value=wanted/>
            <button
                // By this the keyboard is known to have been here, when it is made anew.
                id=format!("share-view-{filter_id}")
                type="submit"
                class="button button--quiet button--small"
                data-testid="share"
            >
                <Icon glyph=Glyph::Members/>
                {words}
                <span class="visually-hidden">{of}</span>
            </button>
        </PlainForm>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_a_view_from_everyone_is_told() {
        let view = |is_shared| SavedFilter {
            filter_id: FilterId(1),
            name: "Mornings".into(),
            query: "?decision=review".into(),
            is_shared,
            may_change: true,
            is_mine: true,
        };
        let other = |is_shared| SavedFilter { query: "?decision=rejected".into(), ..view(is_shared) };
        assert_eq!(replaced(&view(false), &other(false)), "replaced");
        assert_eq!(replaced(&view(true), &other(true)), "replaced");
        assert_eq!(replaced(&view(true), &other(false)), "replaced, and yours alone now");
        assert_eq!(replaced(&view(false), &other(true)), "replaced, and everyone's now");
        assert_eq!(replaced(&view(true), &view(false)), "yours alone now");
        assert_eq!(replaced(&view(false), &view(true)), "everyone's now");
    }
}
