//! Datasources and their configs: lists, one of each with what can be tried on it, and the editors.

mod config_detail;
mod config_editor;
mod config_fields;
mod config_form;
mod config_list;
mod detail;
mod editor;
mod list;
mod preview;
mod preview_form;
mod trial;
mod words;

pub use config_detail::ConfigPage;
pub use config_editor::ConfigEditor;
pub use config_list::ConfigsPage;
pub use detail::DatasourcePage;
pub use editor::DatasourceEditor;
pub use list::DatasourcesPage;
pub use words::query_example;
