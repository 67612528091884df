//! Messages: the list, and one with why it was decided so.

mod actions;
mod behind;
mod beside;
mod bulk;
mod carried;
mod content;
mod deliveries;
mod detail;
mod evidence;
mod filters;
mod history;
mod import;
mod kept;
mod list;
mod marks;
mod notes;
mod query;
mod runs;
mod saved;
mod selection;
mod table;
mod told;
mod trial;
mod verdict;
mod why;

pub use detail::MessagePage;
pub use kept::use_kept_choice;
pub use list::{MessagesPage, NoMessages};
pub use marks::{DecisionMark, VerdictMark};
pub use notes::Notes;
pub use table::{MessageTable, shown_subject};
pub use trial::{EXAMPLE, Steps, TrialPage, would_come_to};
