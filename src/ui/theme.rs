//! Light or dark.

use leptos::prelude::*;

use super::{
    host,
    icons::{Glyph, Icon},
};

/// The cookie that keeps the choice. The server writes the document by it, so that no page flashes.
pub const COOKIE: &str = "theme";

/// What the reader chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// As the cookie and the document's `data-theme` have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What is no theme is the system's.
    pub fn read(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// The choice between light, dark and what the system has.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let theme = RwSignal::new(host::theme());
    let choices = [
        (Theme::System, Glyph::System, "Theme of the system"),
        (Theme::Light, Glyph::Sun, "Light theme"),
        (Theme::Dark, Glyph::Moon, "Dark theme"),
    ];
    view! {
        <div class="theme" role="group" aria-label="Theme" data-testid="theme">
            {choices
                .map(|(choice, glyph, words)| {
                    view! {
                        <button
                            type="button"
                            class="icon-button"
                            title=words
                            aria-pressed=move || (theme.get() == choice).to_string()
                            data-theme-choice=choice.as_str()
                            on:click=move |_| {
                                theme.set(choice);
                                host::set_theme(choice);
                            }
                        >
                            <Icon glyph/>
                            <span class="visually-hidden">{words}</span>
                        </button>
                    }
                    .into_any()
                })
                .collect_view()}
        </div>
    }
}
