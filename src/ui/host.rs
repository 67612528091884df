//! On the server, where no effect runs, the browser's abilities (`crate::client`) are these stubs.

use chrono::{DateTime, Utc};
use leptos::{
    ev::{DragEvent, Event, FocusEvent, KeyboardEvent, MouseEvent},
    prelude::{Callback, Signal},
    web_sys::HtmlSelectElement,
};

pub use super::step::in_a_step;
use super::{theme::Theme, upload::Target};
pub use crate::app::wait_for_a_touch;
pub use crate::server::{
    context::{chosen_theme as theme, set_page_status},
    edge::site::build,
};
use crate::shared::{Problem, TenantId};

pub fn reload() {}
pub fn is_being_taken_over() -> bool {
    false
}
pub fn leave_to_browser() {}
pub fn stored_tenant() -> Option<TenantId> {
    None
}
pub fn store_tenant(_: &TenantId) {}
pub fn forget_tenant() {}
pub fn stored_list(_: &TenantId) -> Option<String> {
    None
}
pub fn store_list(_: &TenantId, _: &str) {}
pub fn forget_lists() {}
pub fn keep_draft(_: String, _: Signal<bool>, _: impl Fn() -> String + 'static) {}
pub fn kept_draft(_: &str) -> Option<String> {
    None
}
pub fn forget_draft(_: &str) {}
pub fn forget_drafts() {}
pub fn keep_drafts_of(_: &str) {}
pub fn focus(_: &str) {}
pub fn focus_trail() -> Vec<String> {
    Vec::new()
}
pub fn focus_first(_: &[String]) {}
pub fn note_focus_before(_: &FocusEvent, _: &str) {}
pub fn give_focus_back() {}
pub fn move_focus(_: &str, _: i32) {}
pub fn keep_open(_: &str) {}
pub fn label_of(_: &str) -> Option<String> {
    None
}
pub fn focus_field(_: &str) {}
pub fn typed_before(_: &str) -> Option<String> {
    crate::auth::server::forms::typed()
}
pub fn leave_field() {}
pub fn is_shortcut(_: &KeyboardEvent) -> bool {
    false
}
pub fn key_of(_: &KeyboardEvent) -> String {
    String::new()
}
pub fn is_second_click(_: &MouseEvent) -> bool {
    false
}
pub fn submit_form_of(_: &Event) {}
pub fn submit_form_once(_: &HtmlSelectElement) {}
pub fn is_popover_open(_: &str) -> bool {
    false
}
pub fn hide_popover(_: &str) {}
pub fn focus_left(_: &FocusEvent, _: &str) -> bool {
    false
}
pub fn zone_of(_: Option<&str>) -> i32 {
    0
}
pub fn local_time(_: DateTime<Utc>) -> Option<String> {
    None
}
pub fn are_keys_on() -> bool {
    true
}
pub fn turn_keys(_: bool) {}
pub fn set_theme(_: Theme) {}
pub fn open_dialog(_: &str) {}
pub fn close_dialog(_: &str) {}
pub fn is_on_backdrop(_: &MouseEvent, _: &str) -> bool {
    false
}
pub fn guard_unsaved(_: Signal<bool>, _: Signal<bool>) {}
pub fn guard_tab(_: impl Fn() -> bool + 'static) {}
pub fn may_leave() -> bool {
    true
}
pub fn is_command(_: &KeyboardEvent, _: &str) -> bool {
    false
}
pub fn reveal(_: &str) {}
pub fn is_attended() -> bool {
    true
}
pub fn on_changes(_: Signal<String>, _: impl Fn() + Clone + 'static, _: impl Fn(u16) + Clone + 'static) {}
pub fn focused_id() -> Option<String> {
    None
}
pub fn remember_field(_: &FocusEvent) {}
pub fn insert_text(_: &str) {}
pub fn read_chosen(_: &Event, _: Callback<(String, String)>) {}
pub fn read_dropped(_: &DragEvent, _: Callback<(String, String)>) {}
pub fn allow_drop(_: &DragEvent) {}
pub fn begin_drag(_: &DragEvent) {}
pub fn copy(_: &str, _: impl FnOnce(bool) + 'static) {}

/// A file that somebody chose. There is none on the server.
#[derive(Clone)]
pub struct Chosen;

impl Chosen {
    pub fn name(&self) -> String {
        String::new()
    }
}

pub fn chosen_files(_: &Event) -> Vec<Chosen> {
    Vec::new()
}
pub fn files_of(_: &str) -> Vec<Chosen> {
    Vec::new()
}
pub fn dropped_files(_: &DragEvent) -> Vec<Chosen> {
    Vec::new()
}
pub fn send(
    _: &Chosen,
    _: Target,
    _: impl Fn(f64) + 'static,
    _: impl FnOnce(Result<String, Problem>) + 'static,
) {
}
pub fn is_sending() -> bool {
    false
}
pub fn select_all(_: &FocusEvent) {}
