//! Routes: the list, and the editor of one.

mod editor;
mod form;
mod headers;
mod list;
mod secret;
mod words;

pub use editor::RouteEditor;
pub use list::RoutesPage;
pub use words::{deed, when_words};
