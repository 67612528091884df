//! The files that are kept as tables, and whose turn it is to load some: no tenant's stand in the way of another's.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};

use super::Held;
use crate::datasources::server::connection::{FileEndpoint, FileFormat};

/// The tables together: bytes.
const MAX_LOADED: u64 = 768 << 20;
/// What was not asked for so long, anybody's table may take the place of.
const IDLE: Duration = Duration::from_secs(60);
/// What any slot counts for at least.
const LEAST: u64 = 4_096;
/// Files that are loaded at once, of all tenants: so many large ones, and so many small ones, which are done soon.
const LOADING: usize = 2;
const SMALL: u64 = 8 << 20;

/// The same file, read in another way or beside other files, is another one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The tenant's folder.
    pub folder: PathBuf,
    tables: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Part {
    table: String,
    path: String,
    format: FileFormat,
    sheet: Option<String>,
    rows: Option<String>,
}

impl Key {
    pub fn new(folder: &Path, tables: &[FileEndpoint]) -> Self {
        let part = |file: &FileEndpoint| Part {
            table: file.table.clone(),
            path: file.path.clone(),
            format: file.format,
            sheet: file.sheet.clone(),
            rows: file.rows.as_ref().map(ToString::to_string),
        };
        Self { folder: folder.to_owned(), tables: tables.iter().map(part).collect() }
    }
}

/// The place of a table. Whoever uses it holds it, and then nobody takes it away.
pub struct Slot {
    pub held: Arc<AsyncMutex<Option<Held>>>,
    usage: Mutex<Usage>,
}

#[derive(Clone, Copy)]
struct Usage {
    bytes: u64,
    asked: Instant,
}

impl Slot {
    fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Slots {
    max: u64,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { max: MAX_LOADED, slots: Mutex::default() }
    }
}

impl Slots {
    /// The slot of a table that is asked now.
    pub fn take(&self, key: &Key) -> Arc<Slot> {
        let usage = Usage { bytes: LEAST, asked: Instant::now() };
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Slot { held: Arc::default(), usage: Mutex::new(usage) }));
        slot.usage.lock().unwrap_or_else(PoisonError::into_inner).asked = usage.asked;
        Arc::clone(slot)
    }

    /// Says how large a table has become. Where all are too large together, others go, or itself once it was used.
    pub fn settle(&self, key: &Key, slot: &Slot, bytes: u64) {
        let mut gone = Vec::new();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slot.usage.lock().unwrap_or_else(PoisonError::into_inner).bytes = bytes.max(LEAST);
        while let Some(victim) = self.victim(&slots, key) {
            gone.extend(slots.remove(&victim));
        }
        // A large table takes a while to go, which nobody waits for.
        drop(slots);
    }

    /// Who goes next so that there is room for the table of `asking`. A tenant above its share makes room by its own
    /// tables, or by what nobody asked for a while; one below it, by those of tenants above theirs.
    fn victim(&self, slots: &HashMap<Key, Arc<Slot>>, asking: &Key) -> Option<Key> {
        let mut held: HashMap<&Path, u64> = HashMap::new();
        for (key, slot) in slots {
            *held.entry(&key.folder).or_default() += slot.usage().bytes;
        }
        if held.values().sum::<u64>() <= self.max {
            return None;
        }
        let share = fair_share(held.values().copied().collect(), self.max);
        let is_above = |key: &Key| held.get(key.folder.as_path()).is_some_and(|bytes| *bytes > share);
        let asks_too_much = is_above(asking);
        let of_modest = held.values().filter(|bytes| **bytes <= share).sum::<u64>();
        let has_room = slots.get(asking).is_some_and(|slot| of_modest + slot.usage().bytes <= self.max);
        let rank = |key: &Key, usage: Usage| {
            let is_idle = usage.asked.elapsed() >= IDLE;
            match (key.folder == asking.folder, asks_too_much) {
                (true, true) => Some(0),
                (false, false) if is_idle || is_above(key) => Some(0),
                (true, false) => Some(1),
                (false, true) if is_idle => Some(1),
                // Each is above its share: whoever was asked last is there, or a table would go before it is used once.
                (false, true) if is_above(key) && has_room => Some(2),
                (false, _) => None,
            }
        };
        slots
            .iter()
            .filter(|(key, slot)| *key != asking && Arc::strong_count(slot) == 1)
            .filter_map(|(key, slot)| {
                let usage = slot.usage();
                Some(((rank(key, usage)?, usage.asked), key))
            })
            .min_by_key(|(order, _)| *order)
            .map(|(_, key)| key.clone())
            .or_else(|| (asks_too_much && slots.contains_key(asking)).then(|| asking.clone()))
    }
}

/// What each may have, where those that need less leave the rest to the others (max-min fairness).
fn fair_share(mut needs: Vec<u64>, max: u64) -> u64 {
    needs.sort_unstable();
    let mut left = max;
    for (need, sharing) in needs.iter().zip((1..=needs.len() as u64).rev()) {
        let share = left / sharing;
        if *need > share {
            return share;
        }
        left -= need;
    }
    max
}

/// Places for loading.
pub struct Places {
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
    /// Each tenant's one.
    tenants: Mutex<HashMap<PathBuf, Arc<Semaphore>>>,
}

/// Leave to load one file, until it is dropped.
pub struct Place {
    _tenant: OwnedSemaphorePermit,
    _any: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        let room = || Arc::new(Semaphore::new(LOADING));
        Self { large: room(), small: room(), tenants: Mutex::default() }
    }
}

impl Places {
    /// Waits for the tenant's own place, and then for one of all: so that each tenant waits there once.
    pub async fn take(&self, folder: &Path, length: u64) -> Option<Place> {
        let tenant = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let place = tenants.entry(folder.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1)));
            Arc::clone(place)
        };
        let any = Arc::clone(if length <= SMALL { &self.small } else { &self.large });
        let tenant = tenant.acquire_owned().await.ok()?;
        Some(Place { _tenant: tenant, _any: any.acquire_owned().await.ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::lookup::file::table::tests::file;

    fn key(tenant: &str, path: &str) -> Key {
        Key::new(Path::new(tenant), &[file("data", FileFormat::Csv, path)])
    }

    #[test]
    fn a_tenant_above_its_share_makes_room_by_its_own_tables() {
        let slots = Slots { max: 100_000, ..Slots::default() };
        let loaded = |tenant: &str, path: &str, bytes| {
            let key = key(tenant, path);
            let slot = slots.take(&key);
            slots.settle(&key, &slot, bytes);
        };
        let is_there =
            |tenant: &str, path: &str| slots.slots.lock().expect("there").contains_key(&key(tenant, path));
        loaded("globex", "small.csv", 10_000);
        for path in ["a.csv", "b.csv", "c.csv", "d.csv"] {
            loaded("acme", path, 40_000);
            assert!(is_there("globex", "small.csv"), "{path}");
            assert!(is_there("acme", path), "{path}");
        }
        assert!(
            !is_there("acme", "a.csv") && !is_there("acme", "b.csv"),
            "what was asked longest ago goes first"
        );

        // A tenant below its share makes room by one above; what is in use stays.
        let c = slots.take(&key("acme", "c.csv"));
        loaded("initech", "e.csv", 30_000);
        assert!(is_there("initech", "e.csv") && is_there("globex", "small.csv") && is_there("acme", "c.csv"));
        assert!(!is_there("acme", "d.csv"));
        drop(c);
        // Of three that each are above their share, the one that was asked last is there.
        let three = Slots { max: 100_000, ..Slots::default() };
        for tenant in ["acme", "globex", "initech"] {
            let key = key(tenant, "large.csv");
            let slot = three.take(&key);
            three.settle(&key, &slot, 40_000);
        }
        let left = three.slots.lock().expect("there").len();
        assert!(left == 2 && three.slots.lock().expect("there").contains_key(&key("initech", "large.csv")));
        // One that is larger than its share is not kept where that would be at others' cost.
        loaded("hooli", "f.csv", 90_000);
        assert!(!is_there("hooli", "f.csv") && is_there("acme", "c.csv") && is_there("globex", "small.csv"));
    }

    #[tokio::test]
    async fn a_tenant_that_loads_and_loads_leaves_room_for_others() {
        let places = Places::default();
        let at_once = async |tenant: &str, length| {
            let taking = places.take(Path::new(tenant), length);
            tokio::time::timeout(Duration::from_millis(20), taking).await.ok().flatten()
        };
        let first = at_once("acme", 250 << 20).await.expect("its place");
        assert!(at_once("acme", 250 << 20).await.is_none(), "a tenant loads one at once");
        let _second = at_once("globex", 250 << 20).await.expect("another tenant has its own");
        assert!(at_once("initech", 250 << 20).await.is_none(), "two large ones at once");
        assert!(at_once("initech", 1_000).await.is_some(), "a small one does not wait for them");
        drop(first);
        assert!(at_once("acme", 250 << 20).await.is_some());
    }
}
