//! The waiting room: people who wait, and the decisions about them.

use std::time::{Duration, SystemTime};

use super::State;
use super::item::{Change, Entry, Item, Waiting};
use crate::time::seconds;
use crate::upstream::error::Unavailable;

/// Largest number of people who wait for one room.
pub const MOST_WAITING: usize = 100;

/// The longest time for which an admission lasts.
const ADMISSION_TTL: Duration = Duration::from_hours(24);

/// The longest time for which a refusal lasts. A host can admit the person earlier.
const REFUSAL_TTL: Duration = Duration::from_hours(1);

/// The start of the keys of people who wait. No person's identity starts with it.
const PREFIX: &str = "guest:waiting:";

/// The result of a request to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A host has admitted the person.
    Admitted,
    /// A host has refused the person.
    Refused,
    /// The person starts to wait.
    Started,
    /// The person waits already.
    Continued,
    /// [`MOST_WAITING`] others wait.
    Full,
}

impl From<&Entry> for Wait {
    fn from(entry: &Entry) -> Self {
        if entry.is_admitted { Self::Admitted } else { Self::Refused }
    }
}

impl State {
    /// Stores that `person`, with `name`, waits for `room`, unless a host has decided about them.
    ///
    /// Costs one read; a write each half a minute; and a read of all who wait before and after the first
    /// write of a person.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read or written.
    pub async fn wait(
        &self,
        room: &str,
        person: &str,
        name: &str,
        now: SystemTime,
    ) -> Result<Wait, Unavailable> {
        let key = &format!("{PREFIX}{person}");
        let time = seconds(now);
        let (own, stored) = self.own_and_waiting(room, person, key).await?;
        if let Some(entry) = own.entry(time) {
            return Ok(entry.into());
        }
        let before = stored.waiting(time);
        if before.is_some_and(|before| before.is_fresh(time) && before.name == name) {
            return Ok(Wait::Continued);
        }
        if before.is_none() && self.waiting(room, now).await?.len() >= MOST_WAITING {
            return Ok(Wait::Full);
        }
        let since = before.map_or(time, |before| before.since);
        let change = Change::Wait(Waiting { name: name.to_owned(), since, seen_at: time });
        let is_stored = match stored.changed(&change) {
            Some(item) => self.write((room, key), item, &change, now).await?,
            None => false,
        };
        // Another request of this person, or a decision about them, was stored at the same time.
        if !is_stored || before.is_some() {
            return Ok(Wait::Continued);
        }
        // Others may have started at the same time. Each of them sees those who were stored before.
        if self.waiting(room, now).await?.len() > MOST_WAITING {
            self.change(room, key, &Change::StopWaiting, now).await?;
            return Ok(Wait::Full);
        }
        Ok(Wait::Started)
    }

    /// Ends the wait of `person` without a decision.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn stop_waiting(
        &self,
        room: &str,
        person: &str,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        self.change(room, &format!("{PREFIX}{person}"), &Change::StopWaiting, now).await
    }

    /// Lists the people who wait for `room`, the longest wait first.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read.
    pub async fn waiting(
        &self,
        room: &str,
        now: SystemTime,
    ) -> Result<Vec<(String, Waiting)>, Unavailable> {
        let now = seconds(now);
        let items = self.items_of(room, PREFIX).await?;
        let waiting = |(key, item): (String, Item)| {
            Some((key.strip_prefix(PREFIX)?.to_owned(), item.waiting(now)?.clone()))
        };
        let mut waiting: Vec<_> = items.into_iter().filter_map(waiting).collect();
        waiting.sort_by(|(one, left), (other, right)| (left.since, one).cmp(&(right.since, other)));
        Ok(waiting)
    }

    /// Stores the decision whether `person` may enter `room`: until the room ends, and for 24 hours at
    /// most, a refusal for one. The last decision counts. Returns `false`, and stores nothing, if they do
    /// not wait and no decision about them lasts.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn decide(
        &self,
        room: &str,
        person: &str,
        is_admitted: bool,
        now: SystemTime,
    ) -> Result<bool, Unavailable> {
        let key = &format!("{PREFIX}{person}");
        let decided_at = seconds(now);
        let (own, stored) = self.own_and_waiting(room, person, key).await?;
        if own.entry(decided_at).is_none() && stored.waiting(decided_at).is_none() {
            return Ok(false);
        }
        let ttl = if is_admitted { ADMISSION_TTL } else { REFUSAL_TTL };
        let entry = Entry { is_admitted, decided_at, ends_at: decided_at + ttl.as_secs() };
        // First, so that nobody waits for a decision that was lost.
        self.change(room, person, &Change::Entry(entry), now).await?;
        self.change(room, key, &Change::StopWaiting, now).await?;
        Ok(true)
    }

    /// Returns the item of `person` and the one with `key`, by one read.
    async fn own_and_waiting(
        &self,
        room: &str,
        person: &str,
        key: &str,
    ) -> Result<(Item, Item), Unavailable> {
        let mut items = self.items(&[(room, person), (room, key)]).await?.into_iter();
        let mut next = || items.next().unwrap_or_default();
        Ok((next(), next()))
    }
}
