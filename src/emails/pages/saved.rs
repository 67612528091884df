//! Views of the list with names.

use leptos::prelude::*;

use super::query::ListQuery;
use crate::{
    app::CurrentTenant,
    saved_filters::{
        api::{DeleteFilter, SaveFilter, list_saved_filters},
        dto::SavedFilter,
    },
    ui::{
        icons::{Glyph, Icon},
        panel::ActionProblem,
        resource::load,
    },
};

/// The reader's own views, each a link; and a name for the one that is looked at. Plain forms.
#[component]
pub fn SavedFilters(tenant: CurrentTenant, query: Memo<ListQuery>) -> impl IntoView {
    let save = ServerAction::<SaveFilter>::new();
    let delete = ServerAction::<DeleteFilter>::new();
    let saved = load(
        move || (tenant.id(), save.version().get(), delete.version().get()),
        |(tenant, ..)| async move { list_saved_filters(tenant?).await },
    );
    let here = move || query.read().page(None);
    let outcome = save.value();
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <div class="views" data-testid="views">
            <Transition>
                {move || Suspend::new(async move {
                    let saved = saved.await.unwrap_or_default();
                    let is_named = {
                        let here = here();
                        saved.iter().any(|one| one.query == here)
                    };
                    let links = saved
                        .into_iter()
                        .map(|filter| view! { <View tenant filter delete here=here()/> })
                        .collect_view();
                    let can_name = !here().is_empty() && !is_named;
                    view! {
                        {links}
                        {can_name
                            .then(|| {
                                view! {
                                    <details class="views__new">
                                        <summary class="button button--quiet button--small">
                                            <Icon glyph=Glyph::Saved/>
                                            "Save this view"
                                        </summary>
                                        <ActionForm action=save attr:class="views__form">
                                            <input type="hidden" name="tenant_id" value=text/>
                                            <input type="hidden" name="query" value=here/>
                                            <label>
                                                <span class="visually-hidden">"Name of the view"</span>
                                                <input
                                                    type="text"
                                                    name="name"
                                                    required
                                                    maxlength="120"
                                                    placeholder="Name of the view"
                                                    data-testid="view-name"
                                                />
                                            </label>
                                            <button type="submit" class="button" data-testid="save-view">
                                                "Save"
                                            </button>
                                        </ActionForm>
                                    </details>
                                }
                            })}
                    }
                })}
            </Transition>
            <ActionProblem outcome/>
        </div>
    }
}

#[component]
fn View(
    tenant: CurrentTenant,
    filter: SavedFilter,
    delete: ServerAction<DeleteFilter>,
    here: String,
) -> impl IntoView {
    let SavedFilter { filter_id, name, query } = filter;
    let is_here = query == here;
    let href = move || tenant.page("/messages") + &query;
    let text = move || tenant.id().map(|id| id.to_string()).unwrap_or_default();
    let label = format!("Delete the view {name}");
    let title = label.clone();
    view! {
        <span class="view-chip" data-testid="view">
            <a href=href aria-current=is_here.then_some("page")>{name}</a>
            <ActionForm action=delete>
                <input type="hidden" name="tenant_id" value=text/>
                <input type="hidden" name="filter_id" value=filter_id.to_string()/>
                <button type="submit" class="icon-button view-chip__delete" title=title>
                    <Icon glyph=Glyph::Close/>
                    <span class="visually-hidden">{label}</span>
                </button>
            </ActionForm>
        </span>
    }
}
