//! One stored item: everything that is known about a person in a room.

/// An item of the table, whose parts have separate ends. All times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The ban.
    pub ban: Option<Ban>,
    /// The role that a host gave during the call.
    pub role: Option<GivenRole>,
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

/// A change of one part of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the ban.
    Ban(Ban),
    /// Removes the ban.
    Unban,
    /// Sets the given role.
    Role(GivenRole),
    /// Removes the role unless it was given later than this time.
    EndRole(u64),
}

/// A part of an item: an attribute of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ban.
    Ban,
    /// The given role.
    Role,
}

impl Change {
    /// The part that the change concerns.
    pub fn part(&self) -> Part {
        match self {
            Self::Ban(_) | Self::Unban => Part::Ban,
            Self::Role(_) | Self::EndRole(_) => Part::Role,
        }
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

    /// Returns the item after `change`, or `None` if it changes nothing.
    pub fn changed(&self, change: &Change) -> Option<Self> {
        let mut item = Self { version: self.version + 1, ..self.clone() };
        match change {
            Change::Ban(ban) => item.ban = Some(ban.clone()),
            Change::Role(role) => item.role = Some(role.clone()),
            Change::Unban if self.ban.is_some() => item.ban = None,
            Change::EndRole(at) if self.role.as_ref().is_some_and(|role| role.given_at <= *at) => {
                item.role = None;
            }
            Change::Unban | Change::EndRole(_) => return None,
        }
        Some(item)
    }

    /// Returns the latest end of all parts, from which the table may delete the item; `None` if one part
    /// has no end. An item without parts ends at `now`.
    pub fn expires(&self, now: u64) -> Option<u64> {
        let ban = self.ban.as_ref().map(|ban| ban.ends_at);
        let role = self.role.as_ref().map(|role| Some(role.ends_at));
        [ban, role]
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
            let item = Item { ban, role, version: 1 };
            assert_eq!(item.expires(7), expected, "{item:?}");
        }
    }
}
