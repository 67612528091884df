//! What could not be read anew, and stands on the page as it was before.

use leptos::prelude::*;

use super::{
    icons::{Glyph, Icon},
    load::keep_focus,
    panel::{Retry, WayOut, words_of},
};
use crate::shared::Problem;

/// Each with why, by what makes it be tried again. The application provides it.
#[derive(Clone, Copy)]
pub struct Stale {
    held: RwSignal<Vec<(RwSignal<u32>, Problem)>>,
    /// Rises each time somebody is found to have signed in again.
    signed_in: RwSignal<u32>,
}

impl Stale {
    pub fn provide() -> Self {
        let stale = Self { held: RwSignal::new(Vec::new()), signed_in: RwSignal::new(0) };
        provide_context(stale);
        stale
    }

    /// It could not be read anew.
    pub fn hold(self, tries: RwSignal<u32>, problem: &Problem) {
        let _ = self.held.try_update(|held| {
            held.retain(|(of, _)| *of != tries);
            held.push((tries, problem.clone()));
        });
    }

    /// It was read anew. The keyboard goes on near what told of it.
    pub fn mended(self, tries: RwSignal<u32>) {
        let status = |held: &Vec<(RwSignal<u32>, Problem)>| {
            held.iter().find(|(of, _)| *of == tries).map(|(_, problem)| problem.status)
        };
        let Some(Some(status)) = self.held.try_with_untracked(status) else { return };
        keep_focus();
        self.forget(tries);
        if status == 401 {
            self.signed_in.update(|count| *count = count.wrapping_add(1));
        }
    }

    /// Its page is left.
    pub fn forget(self, tries: RwSignal<u32>) {
        if self.held.try_with_untracked(Vec::is_empty) == Some(false) {
            let _ = self.held.try_update(|held| held.retain(|(of, _)| *of != tries));
        }
    }

    /// Another number for each time that somebody has signed in again. Tracked.
    pub fn signed_in(self) -> u32 {
        self.signed_in.get()
    }

    /// Whether that is because the reader is signed out. Tracked.
    pub fn is_signed_out(self) -> bool {
        self.held.read().iter().any(|(_, problem)| problem.status == 401)
    }
}

/// Says so above the page, with the way to read it anew.
#[component]
pub fn StaleBar() -> impl IntoView {
    let stale: Option<Stale> = use_context();
    let retry = Callback::new(move |()| {
        let held = stale.map(|Stale { held, .. }| held.get_untracked()).unwrap_or_default();
        for (tries, _) in held {
            // Its page may be on its way out.
            let _ = tries.try_update(|tries| *tries = tries.wrapping_add(1));
        }
    });
    move || {
        let Stale { held, .. } = stale?;
        let (_, problem) = held.read().last().cloned()?;
        let words = words_of(&problem);
        Some(view! {
            <div class="notice tone-attention stale" role="alert" data-testid="stale">
                <Icon glyph=Glyph::Alert/>
                <div>
                    <p>{words}</p>
                    <p>"What stands here is as it was before."</p>
                    <div class="notice__ways">
                        <WayOut status=problem.status/>
                        <Retry retry id="stale-again"/>
                    </div>
                </div>
            </div>
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_anew_or_left_is_told_of_no_more() {
        let owner = Owner::new();
        owner.with(|| {
            let stale = Stale::provide();
            let (one, other) = (RwSignal::new(0), RwSignal::new(0));
            let held = || {
                stale.held.with_untracked(|held| held.iter().map(|(_, why)| why.status).collect::<Vec<_>>())
            };
            stale.hold(one, &Problem::unauthorized());
            stale.hold(other, &Problem::new(503, "Busy"));
            assert!(untrack(|| stale.is_signed_out()));
            stale.hold(one, &Problem::new(503, "Busy"));
            assert!(!untrack(|| stale.is_signed_out()), "once for each, as it was last");
            stale.mended(one);
            assert_eq!(held(), [503]);
            stale.mended(one);
            stale.forget(other);
            assert!(held().is_empty());
        });
    }
}
