//! Messages: the list, and one with why it was decided so.

mod actions;
mod bulk;
mod carried;
mod content;
mod deliveries;
mod detail;
mod evidence;
mod filters;
mod history;
mod import;
mod list;
mod marks;
mod query;
mod saved;
mod selection;
mod trial;
mod verdict;

pub use detail::MessagePage;
pub use list::{MessageTable, MessagesPage, NoMessages};
pub use marks::{DecisionMark, VerdictMark};
pub use trial::{EXAMPLE, Steps, TrialPage};
