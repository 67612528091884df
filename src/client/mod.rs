//! What only a browser can do. `ui::host` is this module there, and stubs of the same names on the server.

mod attended;
mod changes;
mod clicks;
mod cookies;
mod dialog;
mod dom;
mod drafts;
mod files;
mod focus;
mod keys;
mod leave;
mod listener;
mod session;
mod steps;
mod theme;
mod upload;

pub use attended::*;
pub use changes::*;
pub use clicks::*;
pub use dialog::*;
pub use dom::*;
pub use drafts::*;
pub use files::*;
pub use focus::*;
pub use keys::*;
pub use leave::*;
pub use session::*;
pub use steps::*;
pub use theme::*;
pub use upload::*;

/// Only servers know the files of their build.
pub fn build(_: &leptos::config::LeptosOptions) -> String {
    String::new()
}

/// Fetches the page at this address anew, with the code of the build that is served now.
pub fn reload() {
    if let Some(window) = web_sys::window() {
        let _ = window.location().reload();
    }
}
