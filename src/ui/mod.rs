//! Widgets without domain knowledge.

pub mod area;
pub mod badge;
pub mod bidi;
pub mod chart;
pub mod days;
pub mod dialog;
pub mod each;
pub mod editor;
pub mod fields;
pub mod find;
pub mod form;
pub mod form_action;
#[cfg(debug_assertions)]
pub mod gallery;
pub mod icons;
pub mod load;
pub mod once;
pub mod only;
pub mod page;
pub mod pager;
pub mod panel;
pub mod react;
pub mod resource;
pub mod rows;
pub mod save_bar;
pub mod saving;
pub mod script;
pub mod size;
pub mod stale;
pub mod step;
pub mod table;
pub mod theme;
pub mod time;
pub mod toast;
pub mod typed;
pub mod upload;
pub mod value;

#[cfg(feature = "hydrate")]
pub use crate::client as host;
#[cfg(not(feature = "hydrate"))]
pub mod host;
