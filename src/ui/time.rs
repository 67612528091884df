//! Points in time.

use chrono::{DateTime, Datelike, Timelike, Utc};
use leptos::prelude::*;

use super::{host, react::effect};

/// `2026-11-23 09:12`. Written by hand: chrono's formatter is much code for a browser to load.
pub fn written(year: i32, month: u32, day: u32, hour: u32, minute: u32) -> String {
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// A time as everybody reads it: `2026-11-23 09:12 UTC`.
pub fn in_utc(at: DateTime<Utc>) -> String {
    written(at.year(), at.month(), at.day(), at.hour(), at.minute()) + " UTC"
}

/// A time as programs read it (RFC 3339), to the second.
pub fn machine(at: DateTime<Utc>) -> String {
    let day = in_utc(at);
    let day = day.split(' ').next().unwrap_or_default();
    format!("{day}T{:02}:{:02}:{:02}Z", at.hour(), at.minute(), at.second())
}

/// A point in time: UTC as the server renders it, then in the reader's zone, with UTC as its tooltip.
#[component]
pub fn Timestamp(at: DateTime<Utc>) -> impl IntoView {
    let local = RwSignal::new(None);
    effect(move || local.set(host::local_time(at)));
    view! {
        <time datetime=machine(at) title=in_utc(at)>
            {move || local.get().unwrap_or_else(|| in_utc(at))}
        </time>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_to_the_minute() {
        let at: DateTime<Utc> = "2026-11-03T09:05:59+01:00".parse().expect("a time");
        assert_eq!(in_utc(at), "2026-11-03 08:05 UTC");
        assert_eq!(machine(at), "2026-11-03T08:05:59Z");
    }
}
