//! Days that a list is narrowed to, as they stand in its address and its form.

use chrono::{DateTime, TimeDelta, Utc};
use leptos::{html::Input, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{form::follow, host, react::memo};

/// Some days of the reader's, as in `2026-11-23`, the last one included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days {
    pub from: Option<String>,
    pub to: Option<String>,
    /// Minutes that the days begin before those of UTC. In the address, so that whoever is given it, and the server, means
    /// the same days.
    zone: i32,
}

/// Zones are from UTC-12 to UTC+14.
const MOST_MINUTES: i32 = 14 * 60;

impl Days {
    /// From an address's parameters. What cannot be read narrows nothing.
    pub fn read(text: impl Fn(&str) -> Option<String>) -> Self {
        let date = |name| text(name).filter(|text| midnight(text).is_some());
        let (from, to) = (date("from"), date("to"));
        let zone = text("zone").filter(|_| from.is_some() || to.is_some());
        let zone = zone.and_then(|text| text.parse().ok()).filter(|zone: &i32| zone.abs() <= MOST_MINUTES);
        Self { from, to, zone: zone.unwrap_or_default() }
    }

    /// When they begin.
    pub fn begin(&self) -> Option<DateTime<Utc>> {
        self.in_zone(self.from.as_deref(), 0)
    }

    /// When they are over.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        self.in_zone(self.to.as_deref(), 1)
    }

    fn in_zone(&self, date: Option<&str>, days: i64) -> Option<DateTime<Utc>> {
        let after = TimeDelta::days(days) - TimeDelta::minutes(self.zone.into());
        midnight(date?)?.checked_add_signed(after)
    }

    /// As an address has them.
    pub fn pairs(&self) -> [(&'static str, Option<String>); 3] {
        let are_some = self.from.is_some() || self.to.is_some();
        let zone = (are_some && self.zone != 0).then(|| self.zone.to_string());
        [("from", self.from.clone()), ("to", self.to.clone()), ("zone", zone)]
    }
}

/// In UTC. Only of years that a field for dates has.
fn midnight(date: &str) -> Option<DateTime<Utc>> {
    let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_date.then(|| format!("{date}T00:00:00Z").parse().ok()).flatten()
}

/// Two fields of a form of filters. Without WebAssembly, the days are those of UTC.
#[component]
pub fn DaysFields(#[prop(into)] days: Signal<Days>) -> impl IntoView {
    // Of an address only: what else changes there says nothing of them.
    let days = memo(move || days.get());
    // What is typed here has the zone that it has where it is typed: summer and winter differ, and the first day counts.
    // Days that came by the address keep the zone that they came with.
    let (typed_from, typed_to) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let on_change = move |name: &str, text: String| {
        if name == "from" { typed_from.set(text) } else { typed_to.set(text) }
    };
    let field = move |label: &'static str, name: &'static str, value: fn(&Days) -> Option<String>| {
        let text = memo(move || value(&days.read()).unwrap_or_default());
        let node = NodeRef::<Input>::new();
        follow(node, text, Some(Callback::new(move |typed| on_change(name, typed))));
        view! {
            <label class="field">
                <span class="field__label">{label}</span>
                <input
                    node_ref=node
                    type="date"
                    name=name
                    value=move || text.get()
                    on:change=move |event| on_change(name, event_target_value(&event))
                />
            </label>
        }
        .into_any()
    };
    // What was typed for another address says nothing of this one's days, and stands in the fields no more.
    let address = use_query_map();
    Effect::new(move |is_later: Option<()>| {
        address.track();
        if is_later.is_some() {
            typed_from.set(String::new());
            typed_to.set(String::new());
        }
    });
    let zone = move || {
        let Days { from, to, zone } = days.get();
        let (typed_from, typed_to) = (typed_from.get(), typed_to.get());
        let typed = [&typed_from, &typed_to].into_iter().find(|typed| !typed.is_empty());
        match typed {
            // The first day of the address stands.
            Some(_) if typed_from.is_empty() && from.is_some() => zone,
            Some(typed) => host::zone_of(Some(typed)),
            None if from.is_some() || to.is_some() => zone,
            None => host::zone_of(None),
        }
        .to_string()
    };
    view! {
        {field("From", "from", |days| days.from.clone())}
        {field("To", "to", |days| days.to.clone())}
        <input type="hidden" name="zone" value="" prop:value=zone/>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn read(address: &str) -> Days {
        Days::read(|name| {
            let mut pairs = address.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(other, _)| *other == name).map(|(_, value)| value.to_owned())
        })
    }

    #[test]
    fn days_are_the_readers_and_the_last_one_counts() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let days = read("from=2026-11-01&to=2026-11-30");
        assert_eq!((days.begin(), days.end()), (utc("2026-11-01T00:00:00Z"), utc("2026-12-01T00:00:00Z")));
        let days = read("from=2026-11-01&to=2026-11-01&zone=60");
        assert_eq!((days.begin(), days.end()), (utc("2026-10-31T23:00:00Z"), utc("2026-11-01T23:00:00Z")));
        assert_eq!(
            days.pairs().map(|(_, value)| value.unwrap_or_default()),
            ["2026-11-01", "2026-11-01", "60"]
        );
    }

    #[test]
    fn what_is_no_day_narrows_nothing() {
        for address in ["from=yesterday", "from=2026-13-01", "to=+12026-01-01", "zone=60", "from=&to=&zone=x"]
        {
            let days = read(address);
            assert_eq!((days.begin(), days.end()), (None, None), "{address}");
            assert!(days.pairs().iter().all(|(_, value)| value.is_none()), "{address}");
        }
        assert_eq!(read("from=2026-11-01&zone=9999999").begin(), read("from=2026-11-01").begin());
    }
}
