//! How many of something each of many may have at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How many each has. The counts are this process' own.
#[derive(Clone, Debug)]
pub struct Places<K>(Arc<Mutex<HashMap<K, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    places: Places<K>,
    key: K,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// `None` where it has as many as it may.
    pub fn take(&self, key: K, most: usize) -> Option<Place<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        Some(Place { places: Self(Arc::clone(&self.0)), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_and_others_their_own() {
        let places = Places::default();
        let held = places.take("one", 2);
        let again = places.take("one", 2);
        assert!(held.is_some() && again.is_some() && places.take("one", 2).is_none());
        assert!(places.take("other", 2).is_some());
        drop(held);
        assert!(places.take("one", 2).is_some(), "one that ended makes room");
        drop(again);
        assert!(places.0.lock().expect("lock").is_empty(), "who has none takes no room");
    }
}
