//! Mailboxes: the list, and the editor of one.

mod domains;
mod editor;
mod form;
mod list;
mod signs;
mod words;

pub use editor::MailboxEditor;
pub use list::MailboxesPage;
