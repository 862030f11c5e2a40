//! One stored item: everything that is known about a person, or about an invitation, in a room.

use crate::lobby::Lobby;

/// The time after which a person who waits has left, unless they ask again. Browsers run the timers of a
/// page in the background once a minute.
pub const LEFT_AFTER: u64 = 90;

/// The time after which it is stored that a person still waits.
const SEEN_AFTER: u64 = 30;

/// An item of the table, whose parts have separate ends. All times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The ban.
    pub ban: Option<Ban>,
    /// The role that a host gave during the call.
    pub role: Option<GivenRole>,
    /// The decision about the person's entry.
    pub entry: Option<Entry>,
    /// The wait for that decision.
    pub waiting: Option<Waiting>,
    /// The invitation.
    pub invitation: Option<StoredInvitation>,
    /// The number of changes so far, by which a change detects another one. 0 if nothing is stored.
    pub version: u64,
}

/// A ban of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The start.
    pub banned_at: u64,
    /// The end; `None` if the ban lasts until it is deleted.
    pub ends_at: Option<u64>,
    /// The reason in words, for hosts only.
    pub reason: Option<String>,
}

/// A role that a host gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenRole {
    /// The name of the role.
    pub role: String,
    /// The time at which it was given.
    pub given_at: u64,
    /// The end.
    pub ends_at: u64,
}

/// A decision about a person who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether they may enter.
    pub is_admitted: bool,
    /// The time of the decision.
    pub decided_at: u64,
    /// The end.
    pub ends_at: u64,
}

/// The wait of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The name for hosts.
    pub name: String,
    /// The start.
    pub since: u64,
    /// The last time at which it was stored that they asked.
    pub seen_at: u64,
}

/// The facts about an invitation besides its signed text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredInvitation {
    /// The name of the guests' role; `None` if the invitation was revoked before it was known.
    pub role: Option<String>,
    /// The guest's name, if the guest does not choose it.
    pub name: Option<String>,
    /// The waiting room.
    pub lobby: Option<Lobby>,
    /// The largest number of guests, if it is limited.
    pub uses: Option<u64>,
    /// The identities of the guests, if their number is limited.
    pub guests: Vec<String>,
    /// The expiry.
    pub expires_at: u64,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// A change of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the ban.
    Ban(Ban),
    /// Removes the ban.
    Unban,
    /// Sets the given role.
    Role(GivenRole),
    /// Removes the role and the decision about the entry, unless they are of a later time.
    EndCall(u64),
    /// Sets the decision about the entry.
    Entry(Entry),
    /// Sets the wait.
    Wait(Waiting),
    /// Removes the wait.
    StopWaiting,
    /// Sets the invitation.
    Invitation(StoredInvitation),
}

/// A part of an item: an attribute of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ban.
    Ban,
    /// The given role.
    Role,
    /// The decision about the entry.
    Entry,
    /// The wait.
    Waiting,
    /// The invitation.
    Invitation,
}

impl Change {
    /// The parts that the change concerns.
    pub fn parts(&self) -> &'static [Part] {
        match self {
            Self::Ban(_) | Self::Unban => &[Part::Ban],
            Self::Role(_) => &[Part::Role],
            Self::EndCall(_) => &[Part::Role, Part::Entry],
            Self::Entry(_) => &[Part::Entry],
            Self::Wait(_) | Self::StopWaiting => &[Part::Waiting],
            Self::Invitation(_) => &[Part::Invitation],
        }
    }
}

impl Waiting {
    /// Whether the store need not learn that the person still waits.
    pub fn is_fresh(&self, now: u64) -> bool {
        now < self.seen_at + SEEN_AFTER
    }
}

impl Item {
    /// Returns the ban, unless it has ended.
    pub fn ban(&self, now: u64) -> Option<&Ban> {
        self.ban.as_ref().filter(|ban| ban.ends_at.is_none_or(|end| end > now))
    }

    /// Returns the given role, unless it has ended.
    pub fn role(&self, now: u64) -> Option<&GivenRole> {
        self.role.as_ref().filter(|role| role.ends_at > now)
    }

    /// Returns the decision about the entry, unless it has ended.
    pub fn entry(&self, now: u64) -> Option<&Entry> {
        self.entry.as_ref().filter(|entry| entry.ends_at > now)
    }

    /// Returns the wait, unless the person has left.
    pub fn waiting(&self, now: u64) -> Option<&Waiting> {
        self.waiting.as_ref().filter(|waiting| waiting.seen_at + LEFT_AFTER > now)
    }

    /// Returns the item after `change`, or `None` if it changes nothing.
    pub fn changed(&self, change: &Change) -> Option<Self> {
        let mut item = Self { version: self.version + 1, ..self.clone() };
        match change {
            Change::Ban(ban) => item.ban = Some(ban.clone()),
            Change::Unban => item.ban = None,
            Change::Role(role) => item.role = Some(role.clone()),
            Change::EndCall(at) => {
                item.role = item.role.filter(|role| role.given_at > *at);
                item.entry = item.entry.filter(|entry| entry.decided_at > *at);
            }
            Change::Entry(entry) => item.entry = Some(entry.clone()),
            Change::Wait(waiting) => item.waiting = Some(waiting.clone()),
            Change::StopWaiting => item.waiting = None,
            Change::Invitation(invitation) => item.invitation = Some(invitation.clone()),
        }
        let changes = Self { version: self.version, ..item.clone() } != *self;
        changes.then_some(item)
    }

    /// Returns the latest end of all parts, from which the table may delete the item; `None` if one part
    /// has no end. An item without parts ends at `now`.
    pub fn expires(&self, now: u64) -> Option<u64> {
        let ban = self.ban.as_ref().map(|ban| ban.ends_at);
        let role = self.role.as_ref().map(|role| Some(role.ends_at));
        let entry = self.entry.as_ref().map(|entry| Some(entry.ends_at));
        let waiting = self.waiting.as_ref().map(|waiting| Some(waiting.seen_at + LEFT_AFTER));
        let invitation = self.invitation.as_ref().map(|invitation| Some(invitation.expires_at));
        [ban, role, entry, waiting, invitation]
            .into_iter()
            .flatten()
            .reduce(|one, other| Some(one?.max(other?)))
            .unwrap_or(Some(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_expires_with_its_latest_end() {
        let ban = |ends_at| Some(Ban { banned_at: 1, ends_at, reason: None });
        let role = Some(GivenRole { role: "viewer".into(), given_at: 1, ends_at: 50 });
        let rows = [
            (None, None, Some(7)),
            (None, role.clone(), Some(50)),
            (ban(Some(40)), None, Some(40)),
            (ban(Some(40)), role.clone(), Some(50)),
            (ban(Some(60)), role.clone(), Some(60)),
            (ban(None), None, None),
            (ban(None), role, None),
        ];
        for (ban, role, expected) in rows {
            let item = Item { ban, role, version: 1, ..Item::default() };
            assert_eq!(item.expires(7), expected, "{item:?}");
        }
    }
}
