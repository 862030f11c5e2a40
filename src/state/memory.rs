//! State in the memory of one process, for local runs and tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::item::Item;

/// Items by room and person. They end with the process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<(String, String), Item>>);

impl Memory {
    pub(super) fn items(&self, keys: &[(&str, &str)]) -> Vec<Item> {
        let items = self.lock();
        let key = |(room, who): &(&str, &str)| ((*room).to_owned(), (*who).to_owned());
        keys.iter().map(|own| items.get(&key(own)).cloned().unwrap_or_default()).collect()
    }

    pub(super) fn items_of(&self, room: &str, prefix: &str) -> Vec<(String, Item)> {
        let items = self.lock();
        let first = (room.to_owned(), prefix.to_owned());
        let is_of_room = |(own, who): &(String, String)| own == room && who.starts_with(prefix);
        let of_room = items.range(first..).take_while(|(key, _)| is_of_room(key));
        of_room.map(|((_, who), item)| (who.clone(), item.clone())).collect()
    }

    /// Stores `item`, unless the stored one has another version than the one before. Returns whether it
    /// was stored.
    pub(super) fn write(&self, (room, who): (&str, &str), item: Item) -> bool {
        let mut items = self.lock();
        let key = (room.to_owned(), who.to_owned());
        let stored = items.get(&key).map_or(0, |stored| stored.version);
        let is_next = stored + 1 == item.version;
        if is_next {
            items.insert(key, item);
        }
        is_next
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Item>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
