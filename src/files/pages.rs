//! A tenant's files: the list with what comes in, and a look into one.

mod list;
mod look;
mod upload;

pub use list::FilesPage;
pub use look::{FilePage, look_page};
