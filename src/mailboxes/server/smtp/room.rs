//! Room for many at once, which strangers alone never fill.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places. Strangers together have three quarters of them, and one at the least: whoever comes from many addresses
/// leaves a quarter to the organisation's own relays.
pub struct Room {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub struct Held {
    _of_all: OwnedSemaphorePermit,
    _of_strangers: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub fn new(places: usize) -> Self {
        let strangers = (places - places / 4).max(1);
        Self { all: Arc::new(Semaphore::new(places)), strangers: Arc::new(Semaphore::new(strangers)) }
    }

    /// `None` where all places that the client may have are taken.
    pub fn try_take(&self, is_trusted: bool) -> Option<Held> {
        let of_strangers = match is_trusted {
            true => None,
            false => Some(Arc::clone(&self.strangers).try_acquire_owned().ok()?),
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Held { _of_all: of_all, _of_strangers: of_strangers })
    }

    /// As `try_take`, once there is a place. A stranger waits for the strangers' first, and takes none of all meanwhile.
    pub async fn take(&self, is_trusted: bool) -> Option<Held> {
        let of_strangers = match is_trusted {
            true => None,
            false => Some(Arc::clone(&self.strangers).acquire_owned().await.ok()?),
        };
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Held { _of_all: of_all, _of_strangers: of_strangers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_leave_a_quarter_to_those_who_are_trusted() {
        let room = Room::new(8);
        let mut strangers = Vec::new();
        for _ in 0..6 {
            strangers.push(room.take(false).await.expect("a place"));
        }
        assert!(room.try_take(false).is_none());
        let relay = [room.take(true).await, room.try_take(true)];
        assert!(relay.iter().all(Option::is_some) && room.try_take(true).is_none(), "and no more than all");
        strangers.pop();
        let relay_again = room.try_take(true);
        assert!(relay_again.is_some() && room.try_take(false).is_none(), "the trusted may have all");
        drop(relay);
        assert!(room.try_take(false).is_some(), "who waits in vain holds nothing");
        assert!(Room::new(1).try_take(false).is_some());
    }
}
