//! Widgets without domain knowledge.

pub mod badge;
pub mod form;
pub mod icons;
pub mod load;
pub mod page;
pub mod panel;
pub mod table;
pub mod time;
pub mod value;

#[cfg(feature = "hydrate")]
pub use crate::client as host;
#[cfg(not(feature = "hydrate"))]
pub mod host;
