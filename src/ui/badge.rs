//! Small marks of a state.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};

/// What a mark says by its colour, beside its icon and word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Attention,
    Quiet,
}

impl Tone {
    /// The class that `style/components.css` colours.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "tone-good",
            Self::Bad => "tone-bad",
            Self::Attention => "tone-attention",
            Self::Quiet => "tone-quiet",
        }
    }
}

/// A state, told by icon and word; the colour only repeats it.
#[component]
pub fn Badge(tone: Tone, glyph: Glyph, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <span class=format!("badge {}", tone.class())>
            <Icon glyph/>
            <span>{text}</span>
        </span>
    }
}

/// Whether something takes part.
#[component]
pub fn ActiveBadge(is_active: bool) -> impl IntoView {
    let (tone, glyph, text) = if is_active {
        (Tone::Good, Glyph::Accept, "active")
    } else {
        (Tone::Quiet, Glyph::Skip, "inactive")
    };
    view! { <Badge tone glyph text/> }
}
