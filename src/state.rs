//! State that must outlive a request: bans, roles that hosts give during a call, the waiting room, and
//! invitations.
//!
//! One item per room and person contains bans, roles and admissions, each part with its own end. People
//! who wait and invitations have items of their own. Ends are compared at the read, so that an item that
//! is not yet deleted has no effect.

#[cfg(feature = "dynamodb")]
pub mod dynamo;
mod invitations;
pub mod item;
pub mod memory;
mod waiting;

use std::time::{Duration, SystemTime};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::time::seconds;
#[cfg(feature = "dynamodb")]
use crate::upstream::client::Client;
use crate::upstream::error::{FetchError, Unavailable};
#[cfg(feature = "dynamodb")]
use dynamo::{Dynamo, DynamoTable};
pub use invitations::Use;
use item::{Ban, Change, Entry, GivenRole, Item};
use memory::Memory;
pub use waiting::{MOST_WAITING, Wait};

/// Name of the state in the log.
pub const UPSTREAM: &str = "state";

/// The room of items that concern all rooms.
pub const EVERY_ROOM: &str = "*";

/// The longest time for which a given role is kept.
pub const ROLE_TTL: Duration = Duration::from_hours(24);

/// Number of attempts to change an item that others change at the same time.
const ATTEMPTS: usize = 10;

/// Number of items that are changed at the same time if a room ends.
const CONCURRENT_CHANGES: usize = 16;

/// The state of a deployment.
pub enum State {
    /// The memory of this process.
    Memory(Memory),
    /// A table of DynamoDB.
    #[cfg(feature = "dynamodb")]
    Dynamo(Dynamo),
}

/// The state of one person in one room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonState {
    /// Whether the person is banned from the room, or from all rooms.
    pub is_banned: bool,
    /// The name of the role that a host gave, which replaces that of the policy.
    pub role: Option<String>,
    /// The decision of a host about the person's entry.
    pub entry: Option<Entry>,
}

impl State {
    /// Creates state that ends with the process.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// Creates state in `table`. No I/O.
    #[cfg(feature = "dynamodb")]
    pub fn dynamo(client: &std::sync::Arc<Client>, table: DynamoTable) -> Self {
        Self::Dynamo(Dynamo::new(client, table))
    }

    /// Reads the state of `person` in `room` and in all rooms, by one consistent read. Without a room,
    /// only the state in all rooms counts.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read.
    pub async fn read(
        &self,
        room: Option<&str>,
        person: &str,
        now: SystemTime,
    ) -> Result<PersonState, Unavailable> {
        let now = seconds(now);
        let keys = [(EVERY_ROOM, person), (room.unwrap_or(EVERY_ROOM), person)];
        // The service refuses a key that is sent twice.
        let keys = if keys[0] == keys[1] { &keys[..1] } else { &keys };
        let items = self.items(keys).await?;
        let in_room = items.get(1);
        Ok(PersonState {
            is_banned: items.iter().any(|item| item.ban(now).is_some()),
            role: in_room.and_then(|item| item.role(now)).map(|given| given.role.clone()),
            entry: in_room.and_then(|item| item.entry(now)).cloned(),
        })
    }

    /// Changes one part of the item of `person` in `room`. Other parts keep their values, also if
    /// another process changes them at the same time.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read or written, or others change the item again and
    /// again.
    pub async fn change(
        &self,
        room: &str,
        person: &str,
        change: &Change,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        self.change_by((room, person), |_| Some(change.clone()), now).await.map(drop)
    }

    /// Changes the item with `key` by the result of `change`, and returns it afterwards. `change` is called
    /// again if another process changes the item at the same time; `None` changes nothing.
    async fn change_by(
        &self,
        key: (&str, &str),
        change: impl Fn(&Item) -> Option<Change>,
        now: SystemTime,
    ) -> Result<Item, Unavailable> {
        for _ in 0..ATTEMPTS {
            let stored = self.items(&[key]).await?.pop().unwrap_or_default();
            let Some(change) = change(&stored) else { return Ok(stored) };
            let Some(item) = stored.changed(&change) else { return Ok(stored) };
            if self.write(key, item.clone(), &change, now).await? {
                return Ok(item);
            }
        }
        let conflict = FetchError::Refused("ConditionalCheckFailedException");
        Err(Unavailable::failed(UPSTREAM, conflict))
    }

    /// Stores that a host gave `person` the role with the name `role` in `room`: until the room ends, and
    /// for [`ROLE_TTL`] at most.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn give_role(
        &self,
        room: &str,
        person: &str,
        role: &str,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        let (role, given_at) = (role.to_owned(), seconds(now));
        let ends_at = given_at + ROLE_TTL.as_secs();
        self.change(room, person, &Change::Role(GivenRole { role, given_at, ends_at }), now).await
    }

    /// Lists the bans in `room` that have not ended, by person.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read.
    pub async fn bans(
        &self,
        room: &str,
        now: SystemTime,
    ) -> Result<Vec<(String, Ban)>, Unavailable> {
        let now = seconds(now);
        let items = self.items_of(room, "").await?;
        let ban = |(person, item): (String, Item)| Some((person, item.ban(now)?.clone()));
        let mut bans: Vec<_> = items.into_iter().filter_map(ban).collect();
        bans.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(bans)
    }

    /// Ends the roles and the decisions about entries in `room` that were given no later than `ended_at`,
    /// at which the call ended. Bans remain.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read or written: some have ended then.
    pub async fn end_room(
        &self,
        room: &str,
        ended_at: SystemTime,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        let change = Change::EndCall(seconds(ended_at));
        let items = self.items_of(room, "").await?;
        let people = items.into_iter().filter(|(_, item)| item.changed(&change).is_some());
        stream::iter(people)
            .map(Ok)
            .try_for_each_concurrent(CONCURRENT_CHANGES, |(person, _)| {
                let change = &change;
                async move { self.change(room, &person, change, now).await }
            })
            .await
    }

    /// Returns the item of each key, in order.
    #[cfg_attr(
        not(feature = "dynamodb"),
        expect(clippy::unused_async, reason = "the memory answers at once")
    )]
    async fn items(&self, keys: &[(&str, &str)]) -> Result<Vec<Item>, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.items(keys)),
            #[cfg(feature = "dynamodb")]
            Self::Dynamo(dynamo) => dynamo.items(keys).await.map_err(failed),
        }
    }

    /// Returns the items of `room` whose second key starts with `prefix`, each with that key.
    #[cfg_attr(
        not(feature = "dynamodb"),
        expect(clippy::unused_async, reason = "the memory answers at once")
    )]
    async fn items_of(&self, room: &str, prefix: &str) -> Result<Vec<(String, Item)>, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.items_of(room, prefix)),
            #[cfg(feature = "dynamodb")]
            Self::Dynamo(dynamo) => dynamo.items_of(room, prefix).await.map_err(failed),
        }
    }

    /// Stores `item`, which is the result of `change`. Returns `false` if another process changed the
    /// stored one meanwhile.
    #[cfg_attr(
        not(feature = "dynamodb"),
        expect(unused_variables, clippy::unused_async, reason = "the memory answers at once")
    )]
    async fn write(
        &self,
        key: (&str, &str),
        item: Item,
        change: &Change,
        now: SystemTime,
    ) -> Result<bool, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.write(key, item)),
            #[cfg(feature = "dynamodb")]
            Self::Dynamo(dynamo) => {
                dynamo.write(key, &item, change.parts(), seconds(now)).await.map_err(failed)
            }
        }
    }
}

#[cfg(feature = "dynamodb")]
fn failed(error: FetchError) -> Unavailable {
    Unavailable::failed(UPSTREAM, error)
}
