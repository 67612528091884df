//! Icons, inlined so that each costs its own bytes only.
//!
//! The shapes are Lucide's (<https://lucide.dev>, version 1.62), each drawn as one path. Their licence (ISC, and
//! MIT for those that come from Feather) is in `icons.LICENSE`.

use leptos::prelude::*;

/// What an icon stands for. The comment names Lucide's icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// `circle-check`
    Accept,
    /// `triangle-alert`
    Alert,
    /// `chevron-left`
    Back,
    /// `x`
    Close,
    /// `plug`
    Config,
    /// `layout-dashboard`
    Dashboard,
    /// `database`
    Datasource,
    /// `download`
    Download,
    /// `file`
    File,
    /// `chevron-right`
    Forward,
    /// `tags`
    Intent,
    /// `menu`
    Menu,
    /// `inbox`
    Messages,
    /// `circle-x`
    Reject,
    /// `eye`
    Review,
    /// `list-checks`
    Rules,
    /// `refresh-cw`
    RunAgain,
    /// `search`
    Search,
    /// `sliders-horizontal`
    Settings,
    /// `log-out`
    SignOut,
    /// `circle-minus`
    Skip,
    /// `arrow-left-right`
    Switch,
    /// `building-2`
    Tenant,
    /// `upload`
    Upload,
    /// `clock`
    Waiting,
}

impl Glyph {
    /// The outline, as the `d` of an SVG path in a box of 24 by 24.
    const fn outline(self) -> &'static str {
        match self {
            Self::Accept => "M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM16 9l-5.5 5.5L8 12",
            Self::Alert => {
                "M21.73 18l-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3M12 9v4M12 17h.01"
            }
            Self::Back => "M15 18l-6-6 6-6",
            Self::Close => "M18 6 6 18M6 6l12 12",
            Self::Config => {
                "M12 22v-5M15 8V2M17 8a1 1 0 0 1 1 1v4a4 4 0 0 1-4 4h-4a4 4 0 0 1-4-4V9a1 1 0 0 1 1-1zM9 8V2"
            }
            Self::Dashboard => {
                "M4 3h5a1 1 0 0 1 1 1v7a1 1 0 0 1 -1 1h-5a1 1 0 0 1 -1 -1v-7a1 1 0 0 1 1 -1zM15 3h5a1 1 0 0 1 1 1v3a1 1 0 0 1 -1 1h-5a1 1 0 0 1 -1 -1v-3a1 1 0 0 1 1 -1zM15 12h5a1 1 0 0 1 1 1v7a1 1 0 0 1 -1 1h-5a1 1 0 0 1 -1 -1v-7a1 1 0 0 1 1 -1zM4 16h5a1 1 0 0 1 1 1v3a1 1 0 0 1 -1 1h-5a1 1 0 0 1 -1 -1v-3a1 1 0 0 1 1 -1z"
            }
            Self::Datasource => {
                "M3 5a9 3 0 1 0 18 0a9 3 0 1 0 -18 0zM3 5V19A9 3 0 0 0 21 19V5M3 12A9 3 0 0 0 21 12"
            }
            Self::Download => "M12 15V3M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5",
            Self::File => "M15 2H6a2 2 0 0 0-2 2v16a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V7zM14 2v4a2 2 0 0 0 2 2h4",
            Self::Forward => "M9 18l6-6-6-6",
            Self::Intent => {
                "M13.172 2a2 2 0 0 1 1.414.586l6.71 6.71a2.4 2.4 0 0 1 0 3.408l-4.592 4.592a2.4 2.4 0 0 1-3.408 0l-6.71-6.71A2 2 0 0 1 6 9.172V3a1 1 0 0 1 1-1zM2 7v6.172a2 2 0 0 0 .586 1.414l6.71 6.71a2.4 2.4 0 0 0 3.191.193M10 6.5a0.5 0.5 0 1 0 1 0a0.5 0.5 0 1 0 -1 0z"
            }
            Self::Menu => "M4 5h16M4 12h16M4 19h16",
            Self::Messages => {
                "M22 12L16 12L14 15L10 15L8 12L2 12M5.45 5.11 2 12v6a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2v-6l-3.45-6.89A2 2 0 0 0 16.76 4H7.24a2 2 0 0 0-1.79 1.11z"
            }
            Self::Reject => "M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM15 9l-6 6M9 9l6 6",
            Self::Review => {
                "M2.062 12.348a1 1 0 0 1 0-.696 10.75 10.75 0 0 1 19.876 0 1 1 0 0 1 0 .696 10.75 10.75 0 0 1-19.876 0M9 12a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z"
            }
            Self::Rules => "M13 5h8M13 12h8M13 19h8M3 17l2 2 4-4M3 7l2 2 4-4",
            Self::RunAgain => {
                "M3 12a9 9 0 0 1 9-9 9.75 9.75 0 0 1 6.74 2.74L21 8M21 3v5h-5M21 12a9 9 0 0 1-9 9 9.75 9.75 0 0 1-6.74-2.74L3 16M8 16H3v5"
            }
            Self::Search => "M21 21l-4.34-4.34M3 11a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z",
            Self::Settings => "M10 5H3M12 19H3M14 3v4M16 17v4M21 12h-9M21 19h-5M21 5h-7M8 10v4M8 12H3",
            Self::SignOut => "M16 17l5-5-5-5M21 12H9M9 21H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h4",
            Self::Skip => "M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM8 12h8",
            Self::Switch => "M8 3 4 7l4 4M4 7h16M16 21l4-4-4-4M20 17H4",
            Self::Tenant => {
                "M10 12h4M10 8h4M14 21v-3a2 2 0 0 0-4 0v3M6 10H4a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2V9a2 2 0 0 0-2-2h-2M6 21V5a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v16"
            }
            Self::Upload => "M12 3v12M17 8l-5-5-5 5M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4",
            Self::Waiting => "M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM12 6v6l4 2",
        }
    }
}

/// A picture beside words: hidden from assistive technology, so the words must be there.
#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=glyph.outline()></path>
        </svg>
    }
}
