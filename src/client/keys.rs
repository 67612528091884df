//! Whether keys do something that write a character: speech that is taken for typing presses them too (WCAG 2.1.4).

use super::cookies::{keep, kept};

const COOKIE: &str = "single_keys";
const OFF: &str = "off";

/// Whether they do; they do unless the reader turned them off.
pub fn are_keys_on() -> bool {
    kept(COOKIE).as_deref() != Some(OFF)
}

pub fn turn_keys(is_on: bool) {
    keep(COOKIE, if is_on { "on" } else { OFF });
}
