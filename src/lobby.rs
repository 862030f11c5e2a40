//! The waiting room: its kinds, and the presence of hosts in a room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::sync::Mutex as AsyncMutex;

use crate::reason::Reason;

/// The time for which the presence of a host is known without another request to LiveKit.
const FRESH: Duration = Duration::from_secs(1);

/// Largest number of rooms whose presence is kept.
const ROOMS: usize = 1_000;

/// The name of [`Lobby::UntilHost`].
const UNTIL_HOST: &str = "until-host";

/// The condition under which a person waits before they enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lobby {
    /// Until a host or moderator admits them.
    Always,
    /// Until a host or moderator is in the room, or admits them.
    UntilHost,
}

impl Lobby {
    /// Reads the value `true`, `false` or `"until-host"`, as the kind that it has. `None` is no waiting
    /// room.
    ///
    /// # Errors
    ///
    /// [`Reason`] for any other value.
    pub fn parse(boolean: Option<bool>, text: Option<&str>) -> Result<Option<Self>, Reason> {
        match (boolean, text) {
            (Some(false), _) => Ok(None),
            (Some(true), _) => Ok(Some(Self::Always)),
            (None, Some(UNTIL_HOST)) => Ok(Some(Self::UntilHost)),
            _ => Err(Reason("must be true, false or \"until-host\"")),
        }
    }
}

impl Serialize for Lobby {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Always => serializer.serialize_bool(true),
            Self::UntilHost => serializer.serialize_str(UNTIL_HOST),
        }
    }
}

/// The last known presence of hosts, by room. Empty, it uses no memory.
#[derive(Debug, Default)]
pub struct HostPresence {
    rooms: Mutex<HashMap<String, Arc<AsyncMutex<Option<Known>>>>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    is_present: bool,
    at: SystemTime,
}

impl HostPresence {
    /// Returns whether a host is in `room`, by `ask` at most once a second and room. Requests at the same
    /// time wait for one answer. A failure is not kept.
    ///
    /// # Errors
    ///
    /// That of `ask`.
    pub async fn get<E>(
        &self,
        room: &str,
        ask: impl Future<Output = Result<bool, E>>,
        now: SystemTime,
    ) -> Result<bool, E> {
        let cell = self.cell(room);
        let mut known = cell.lock().await;
        if let Some(Known { is_present, at }) = *known
            && now.duration_since(at).is_ok_and(|age| age < FRESH)
        {
            return Ok(is_present);
        }
        let is_present = ask.await?;
        *known = Some(Known { is_present, at: now });
        Ok(is_present)
    }

    fn cell(&self, room: &str) -> Arc<AsyncMutex<Option<Known>>> {
        // Nothing panics while the lock is held.
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = rooms.get(room) {
            return Arc::clone(cell);
        }
        if rooms.len() >= ROOMS {
            // Another request uses a cell that has a second owner.
            rooms.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        Arc::clone(rooms.entry(room.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn value_is_true_false_or_until_host() {
        let rows = [
            (Some(true), None, Some(Some(Lobby::Always))),
            (Some(false), None, Some(None)),
            (None, Some("until-host"), Some(Some(Lobby::UntilHost))),
            (None, Some("until_host"), None),
            (None, Some("true"), None),
            (None, Some(""), None),
            (None, None, None),
        ];
        for (boolean, text, expected) in rows {
            assert_eq!(Lobby::parse(boolean, text).ok(), expected, "{boolean:?} {text:?}");
        }
    }

    #[tokio::test]
    async fn presence_is_asked_for_at_most_once_a_second_and_room() {
        let presence = HostPresence::default();
        let asked = AtomicUsize::new(0);
        let get = async |room: &str, millis: u64| {
            let ask = async {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(true)
            };
            presence.get(room, ask, UNIX_EPOCH + Duration::from_millis(millis)).await.unwrap();
            asked.load(Ordering::Relaxed)
        };
        #[rustfmt::skip]
        let rows = [
            ("a", 5_000, 1), ("a", 5_999, 1), ("b", 5_999, 2), ("a", 6_000, 3), ("a", 6_999, 3),
            // The clock was set back.
            ("a", 4_000, 4),
        ];
        for (room, millis, expected) in rows {
            assert_eq!(get(room, millis).await, expected, "{room} {millis}");
        }
        let failed = presence.get("a", async { Err("down") }, UNIX_EPOCH).await;
        assert_eq!(failed, Err("down"));
        assert_eq!(get("a", 4_000).await, 4, "a failure changes nothing that is known");
    }

    #[tokio::test]
    async fn rooms_are_bounded() {
        let presence = HostPresence::default();
        for room in 0..2 * ROOMS {
            let ask = async { Ok::<_, Infallible>(false) };
            presence.get(&room.to_string(), ask, UNIX_EPOCH).await.unwrap();
            assert!(presence.rooms.lock().unwrap().len() <= ROOMS);
        }
    }
}
