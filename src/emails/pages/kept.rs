//! What is chosen in a list, for whoever comes back to it.

use leptos::prelude::*;

use super::query::ListQuery;
use crate::{
    emails::dto::EmailPage,
    shared::{EmailId, TenantId},
};

/// What was chosen in the list that was looked at last: whoever opens one of its messages to make sure finds it chosen still.
/// In the memory of this tab, which a sign-out empties: it loads another page.
#[derive(Clone, Copy)]
pub struct KeptChoice(StoredValue<Option<Kept>>);

struct Kept {
    tenant: TenantId,
    query: ListQuery,
    ids: Vec<EmailId>,
}

/// The choice that this tab keeps.
pub fn use_kept_choice() -> KeptChoice {
    use_context().unwrap_or_else(KeptChoice::new)
}

impl KeptChoice {
    fn new() -> Self {
        Self(StoredValue::new(None))
    }

    pub fn provide() {
        provide_context(Self::new());
    }

    /// This tenant is worked for now: what was chosen in another's list is chosen no more.
    pub fn enter(self, tenant: &TenantId) {
        self.0.update_value(|kept| {
            if kept.as_ref().is_some_and(|kept| kept.tenant != *tenant) {
                *kept = None;
            }
        });
    }

    /// Keeps what is chosen in a list now, and nothing of another.
    pub fn put(self, tenant: TenantId, query: ListQuery, ids: Vec<EmailId>) {
        self.0.set_value(Some(Kept { tenant, query, ids }));
    }

    /// What is still chosen of a list that is come to, of which this is the page: nothing, where another was looked at since.
    pub fn of(self, tenant: &TenantId, query: &ListQuery, page: &EmailPage) -> Vec<EmailId> {
        self.enter(tenant);
        self.0.with_value(|kept| match kept {
            Some(Kept { query: of, ids, .. }) if of == query => still_there(ids, page),
            _ => Vec::new(),
        })
    }

    /// A word was said of one by itself: it is not to be said another with the others.
    pub fn leave_out(self, email: EmailId) {
        self.0.update_value(|kept| {
            if let Some(kept) = kept {
                kept.ids.retain(|id| *id != email);
            }
        });
    }
}

/// Those that the page holds: nothing is to be decided that is not shown.
fn still_there(ids: &[EmailId], page: &EmailPage) -> Vec<EmailId> {
    let is_held = |id: EmailId| page.emails.iter().any(|email| email.email_id == id);
    ids.iter().copied().filter(|id| is_held(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emails::dto::Email;

    fn id(number: u128) -> EmailId {
        EmailId(uuid::Uuid::from_u128(number))
    }

    fn page(numbers: &[u128], next: Option<u128>) -> EmailPage {
        let emails = numbers.iter().map(|number| Email::sample(id(*number), "")).collect();
        EmailPage { emails, next: next.map(id), left: vec![] }
    }

    #[test]
    fn a_choice_is_its_lists_alone() {
        let owner = Owner::new();
        owner.with(|| {
            let kept = KeptChoice::new();
            let [acme, globex]: [TenantId; 2] = ["acme", "globex"].map(|text| text.parse().expect("an id"));
            let (all, older) =
                (ListQuery::default(), ListQuery { before: Some(id(9)), ..ListQuery::default() });
            let shown = page(&[3, 2, 1], None);
            let of = |tenant: &TenantId, query: &ListQuery| kept.of(tenant, query, &shown);
            assert!(of(&acme, &all).is_empty());
            kept.put(acme.clone(), all.clone(), vec![id(1), id(3)]);
            assert!(of(&acme, &older).is_empty());
            assert_eq!(of(&acme, &all), [id(1), id(3)]);
            kept.leave_out(id(1));
            assert_eq!(of(&acme, &all), [id(3)]);
            kept.enter(&acme);
            assert_eq!(of(&acme, &all), [id(3)]);
            kept.enter(&globex);
            assert!(of(&acme, &all).is_empty());
        });
    }

    #[test]
    fn what_left_the_list_is_chosen_no_more() {
        let ids = [9, 7, 6, 2].map(id);
        assert_eq!(still_there(&ids, &page(&[7, 5], None)), [id(7)]);
        assert_eq!(
            still_there(&ids, &page(&[7, 5], Some(5))),
            [id(7)],
            "2 is on the next page, and not shown"
        );
    }
}
