//! What can be done with an intent: edit it, begin another with it, delete it.

use leptos::prelude::*;

use crate::{
    app::tenant_page,
    shared::{IntentId, TenantId},
    ui::{
        dialog::Confirm,
        form::PlainForm,
        form_action::FormAction,
        icons::{Glyph, Icon},
    },
};

/// What can be done with an intent.
#[component]
pub fn Tools(
    tenant: TenantId,
    id: IntentId,
    name: String,
    going: String,
    /// Of the intent as it is shown.
    etag: String,
    delete: FormAction<()>,
) -> impl IntoView {
    let is_pending = delete.pending();
    let edit = tenant_page(&tenant, &format!("/intents/{id}/edit"));
    let copy = tenant_page(&tenant, &format!("/intents/new?copy={id}"));
    view! {
        <a class="button button--primary" href=edit data-testid="edit-intent">
            <Icon glyph=Glyph::Edit/>
            "Edit"
        </a>
        <a class="button" href=copy data-testid="copy-intent">
            <Icon glyph=Glyph::Copy/>
            "Duplicate"
        </a>
        <Confirm
            id="delete-intent"
            label="Delete …"
            glyph=Glyph::Delete
            title=format!("Delete {name}?")
            testid="delete-intent"
        >
            <p data-testid="goes-with-it">{going}</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant.to_string()/>
                <input type="hidden" name="intent_id" value=id.to_string()/>
                <input type="hidden" name="etag" value=etag/>
                <button
                    type="submit"
                    class="button button--danger"
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="confirm-delete"
                >
                    <Icon glyph=Glyph::Delete/>
                    "Delete for good"
                </button>
            </PlainForm>
        </Confirm>
    }
}

/// What goes with an intent: `With it go its 2 rules, its 1 route.` A route takes along what it has not sent yet.
pub fn going_words(rules: usize, routes: usize, examples: i64) -> String {
    let count = |count: i64, one: &str| match count {
        0 => None,
        1 => Some(format!("its 1 {one}")),
        count => Some(format!("its {count} {one}s")),
    };
    let parts = [
        count(i64::try_from(rules).unwrap_or_default(), "rule"),
        count(i64::try_from(routes).unwrap_or_default(), "route"),
        count(examples, "example"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let kept = "Messages that had it keep its name.";
    if parts.is_empty() {
        return kept.to_owned();
    }
    let under_way = if routes == 0 { "" } else { "What is still under way for its routes is called off. " };
    format!("With it go {}. {under_way}{kept}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_with_an_intent_is_counted() {
        assert_eq!(going_words(0, 0, 0), "Messages that had it keep its name.");
        assert_eq!(
            going_words(2, 1, 0),
            "With it go its 2 rules, its 1 route. What is still under way for its routes is called off. \
             Messages that had it keep its name."
        );
        assert_eq!(
            going_words(1, 0, 3),
            "With it go its 1 rule, its 3 examples. Messages that had it keep its name."
        );
    }
}
