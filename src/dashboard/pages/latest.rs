//! The latest messages, which stay where they are while somebody is at them.

use std::time::Duration;

use leptos::prelude::*;

use crate::{
    app::tenant_page,
    emails::{
        dto::Email,
        pages::{MessageTable, NoMessages},
    },
    shared::TenantId,
    ui::react::effect,
};

/// A pointer that has not moved for so long may have been left there: nobody waits behind it.
const POINTER_RESTS: Duration = Duration::from_secs(10);

/// What is held as long as the pointer moves on them, or the keyboard in them: in a list that jumps, the wrong message is
/// opened. What its messages say goes on changing.
#[derive(Clone, Copy)]
pub struct Hold {
    is_pointed_at: RwSignal<bool>,
    has_focus: RwSignal<bool>,
    /// With the tenant whose they are: another's has none of them, or none at all.
    shown: StoredValue<Option<(TenantId, Vec<Email>)>>,
    /// Whether newer ones came meanwhile.
    is_behind: StoredValue<bool>,
}

impl Hold {
    pub fn new() -> Self {
        let is_pointed_at = RwSignal::new(false);
        // Each move tells it anew, and so its time begins anew.
        effect(move || {
            if !is_pointed_at.get() {
                return;
            }
            if let Ok(timer) = set_timeout_with_handle(move || is_pointed_at.set(false), POINTER_RESTS) {
                on_cleanup(move || timer.clear());
            }
        });
        Self {
            is_pointed_at,
            has_focus: RwSignal::new(false),
            shown: StoredValue::new(None),
            is_behind: StoredValue::new(false),
        }
    }

    /// What is to be shown, of what was found of a tenant.
    pub fn latest(self, tenant: &TenantId, found: Vec<Email>) -> Vec<Email> {
        // The page may have been left meanwhile.
        let is_held =
            [self.is_pointed_at, self.has_focus].iter().any(|by| by.try_get_untracked() == Some(true));
        let shown = self.shown.try_get_value().flatten();
        let shown = shown.filter(|(of, _)| is_held && of == tenant).map(|(_, shown)| shown);
        let (rows, is_behind) = held(shown.unwrap_or_default(), found);
        let _ = self.is_behind.try_set_value(is_behind);
        rows
    }

    /// Whether nobody is at them any more, and newer ones wait. Tracked.
    pub fn is_over(self) -> bool {
        !self.is_pointed_at.get() && !self.has_focus.get() && self.is_behind.get_value()
    }
}

/// The messages that are held as they stand now, and whether others are the latest.
fn held(shown: Vec<Email>, found: Vec<Email>) -> (Vec<Email>, bool) {
    if shown.is_empty() {
        return (found, false);
    }
    let is_behind = !shown.iter().map(|row| row.email_id).eq(found.iter().map(|email| email.email_id));
    let now = |row: Email| found.iter().find(|email| email.email_id == row.email_id).cloned().unwrap_or(row);
    (shown.into_iter().map(now).collect(), is_behind)
}

/// The latest messages, and the way to all.
#[component]
pub fn Latest(tenant: TenantId, emails: Vec<Email>, hold: Hold) -> impl IntoView {
    hold.shown.set_value(Some((tenant.clone(), emails.clone())));
    let table = if emails.is_empty() {
        view! { <NoMessages/> }.into_any()
    } else {
        view! { <MessageTable emails/> }.into_any()
    };
    // Not only when the pointer comes: it may have been there before the page was taken over. They may be left because the
    // page is, and with it what is held.
    let end = move |by: RwSignal<bool>| {
        let _ = by.try_set(false);
    };
    view! {
        <section
            class="section"
            aria-labelledby="latest"
            data-testid="latest"
            on:pointerover=move |_| hold.is_pointed_at.set(true)
            on:pointermove=move |_| hold.is_pointed_at.set(true)
            on:pointerleave=move |_| end(hold.is_pointed_at)
            on:focusin=move |_| hold.has_focus.set(true)
            on:focusout=move |_| end(hold.has_focus)
        >
            <div class="section__head">
                <h2 id="latest">"Latest messages"</h2>
                <a href=tenant_page(&tenant, "/messages")>"All messages"</a>
            </div>
            {table}
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::EmailId;

    fn email(number: u128, explanation: &str) -> Email {
        Email::sample(EmailId(uuid::Uuid::from_u128(number)), explanation)
    }

    #[test]
    fn what_is_held_keeps_its_place_and_says_what_is_true() {
        let shown = vec![email(2, "waits"), email(1, "old")];
        let found = vec![email(3, "new"), email(2, "accepted")];
        let (rows, is_behind) = held(shown.clone(), found);
        assert_eq!(rows, [email(2, "accepted"), email(1, "old")]);
        assert!(is_behind);
        assert_eq!(held(shown.clone(), shown.clone()), (shown.clone(), false));
        assert_eq!(held(Vec::new(), shown.clone()), (shown, false));
    }

    #[test]
    fn nothing_of_another_tenant_is_held() {
        let owner = Owner::new();
        owner.with(|| {
            let [ours, theirs] = ["acme", "globex"].map(|id| id.parse::<TenantId>().expect("an id"));
            let hold = Hold {
                is_pointed_at: RwSignal::new(true),
                has_focus: RwSignal::new(false),
                shown: StoredValue::new(Some((ours.clone(), vec![email(1, "ours")]))),
                is_behind: StoredValue::new(false),
            };
            assert!(hold.latest(&theirs, Vec::new()).is_empty());
            assert!(!hold.is_behind.get_value());
            assert_eq!(hold.latest(&ours, vec![email(2, "newer")]), [email(1, "ours")]);
            assert!(hold.is_behind.get_value());
        });
    }
}
