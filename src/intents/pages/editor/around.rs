//! What belongs to an intent and is saved by itself: its routes and its examples.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    app::tenant_page,
    classifier::api::list_examples,
    intents::pages::routes::{AddRoute, RouteCards},
    routes::{api::list_routes_of, dto::Route},
    shared::{IntentId, Problem, TenantId},
    ui::{editor::Section, load::Load, resource::Loaded},
};

/// How many examples are shown, and how many characters of each.
const SHOWN: usize = 3;
const CHARACTERS: usize = 160;

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Around {
    routes: Vec<Route>,
    /// How the latest examples begin.
    examples: Vec<String>,
}

/// Reads what is around an intent; nothing is around one that is not saved.
pub async fn read(tenant: TenantId, intent: Option<IntentId>) -> Result<Around, Problem> {
    let Some(id) = intent else { return Ok(Around::default()) };
    let routes = list_routes_of(tenant.clone(), id).await?;
    let examples = list_examples(tenant, id, None).await?;
    let examples = examples.iter().take(SHOWN).map(|example| beginning(&example.text)).collect();
    Ok(Around { routes, examples })
}

/// The beginning of a text, on one line.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
        None => line,
    }
}

/// The routes and the examples, each with the way to change them. That leaves the editor.
#[component]
pub fn AroundIntent(
    tenant_id: TenantId,
    /// Its id, and how many examples it has; none while it is not saved.
    saved: Option<(IntentId, i64)>,
    around: Loaded<Around>,
) -> impl IntoView {
    let Some((intent_id, count)) = saved else {
        return view! {
            <Section id="edit-around" title="Routes and examples">
                <p class="hint">"They can be added once the intent is saved."</p>
            </Section>
        }
        .into_any();
    };
    view! {
        <Load
            data=move || async move { around.await }
            retry=move || around.refetch()
            view=move |around: Around| {
                let Around { routes, examples } = around;
                view! {
                    <Routes tenant_id=tenant_id.clone() intent_id routes/>
                    <Examples tenant_id=tenant_id.clone() intent_id count examples/>
                }
            }
        />
    }
    .into_any()
}

#[component]
fn Routes(tenant_id: TenantId, intent_id: IntentId, routes: Vec<Route>) -> impl IntoView {
    view! {
        <Section
            id="edit-routes"
            title="Routes"
            hint="What is done once a message is decided. Each is saved by itself."
        >
            <RouteCards routes/>
            <div>
                <AddRoute tenant_id intent_id/>
            </div>
        </Section>
    }
}

#[component]
fn Examples(tenant_id: TenantId, intent_id: IntentId, count: i64, examples: Vec<String>) -> impl IntoView {
    let href = tenant_page(&tenant_id, &format!("/intents/{intent_id}/examples"));
    let words = match count {
        0 => "There are none yet.".to_owned(),
        1 => "There is one.".to_owned(),
        _ => format!("There are {count}. The latest:"),
    };
    let latest = (!examples.is_empty()).then(|| {
        let items = examples
            .into_iter()
            .map(|text| {
                view! {
                    <li class="card">
                        <p class="example__text">{text}</p>
                    </li>
                }
                .into_any()
            })
            .collect_view();
        view! { <ul class="cards" data-testid="latest-examples">{items}</ul> }
    });
    view! {
        <Section
            id="edit-examples"
            title="Examples"
            hint="Where no condition holds, a message gets the intent whose examples it reads like."
        >
            <p data-testid="examples-count">{words}</p>
            {latest}
            <div>
                <a class="button button--small" href=href data-testid="edit-examples">
                    "Add or delete examples"
                </a>
            </div>
        </Section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shown_by_its_beginning() {
        assert_eq!(beginning(" Where is\n my order? "), "Where is my order?");
        let shown = beginning(&"é".repeat(200));
        assert_eq!(shown.chars().count(), CHARACTERS + 2);
        assert!(shown.ends_with(" …"));
    }
}
