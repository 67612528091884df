//! Intents: the list, and one with all that it is.

mod detail;
mod editor;
mod list;
mod routes;
mod tools;
mod versions;

pub use detail::{IntentPage, use_intent};
pub use editor::{DRAFTS, IntentEditor};
pub use list::IntentsPage;
pub use versions::VersionPage;
