//! Invitations: their uses, and their revocation.

use std::time::SystemTime;

use super::State;
use super::item::{Change, Item, StoredInvitation};
use crate::time::seconds;
use crate::upstream::error::Unavailable;

/// The start of the keys of invitations. No person's identity starts with it.
const PREFIX: &str = "guest:invitation:";

/// The result of the use of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The guest may use it.
    Allowed,
    /// As many other guests as it allows have used it.
    UsedUp,
    /// It was revoked.
    Revoked,
}

impl State {
    /// Stores the new `invitation` with this `id` to `room`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn add_invitation(
        &self,
        room: &str,
        id: &str,
        invitation: StoredInvitation,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        self.change(room, &key(id), &Change::Invitation(invitation), now).await
    }

    /// Counts `guest` as a user of the invitation with this `id`, which is signed as `signed` states. A
    /// guest is counted once.
    ///
    /// Costs one read, and a write for each new guest of an invitation with limited uses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn use_invitation(
        &self,
        room: &str,
        id: &str,
        guest: &str,
        signed: &StoredInvitation,
        now: SystemTime,
    ) -> Result<Use, Unavailable> {
        let is_guest = |own: &String| own == guest;
        let count = |item: &Item| {
            let most = signed.uses?;
            let stored = item.invitation.as_ref().unwrap_or(signed);
            let used = u64::try_from(stored.guests.len()).unwrap_or(u64::MAX);
            if stored.is_revoked || stored.guests.iter().any(is_guest) || used >= most {
                return None;
            }
            let mut changed = stored.clone();
            changed.guests.push(guest.to_owned());
            Some(Change::Invitation(changed))
        };
        let item = self.change_by((room, &key(id)), count, now).await?;
        let stored = item.invitation.as_ref().unwrap_or(signed);
        Ok(if stored.is_revoked {
            Use::Revoked
        } else if signed.uses.is_none() || stored.guests.iter().any(is_guest) {
            Use::Allowed
        } else {
            Use::UsedUp
        })
    }

    /// Returns the invitation with this `id` to `room`, unless it is unknown or has expired.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read.
    pub async fn invitation(
        &self,
        room: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<StoredInvitation>, Unavailable> {
        let item = self.items(&[(room, &key(id))]).await?.pop();
        let invitation = item.and_then(|item| item.invitation);
        Ok(invitation.filter(|invitation| invitation.expires_at > seconds(now)))
    }

    /// Lists the invitations to `room` that have not expired, by their expiry.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the state cannot be read.
    pub async fn invitations(
        &self,
        room: &str,
        now: SystemTime,
    ) -> Result<Vec<(String, StoredInvitation)>, Unavailable> {
        let now = seconds(now);
        let items = self.items_of(room, PREFIX).await?;
        let invitation = |(key, item): (String, Item)| {
            let invitation = item.invitation.filter(|invitation| invitation.expires_at > now)?;
            Some((key.strip_prefix(PREFIX)?.to_owned(), invitation))
        };
        let mut list: Vec<_> = items.into_iter().filter_map(invitation).collect();
        list.sort_by(|(one, left), (other, right)| {
            (left.expires_at, one).cmp(&(right.expires_at, other))
        });
        Ok(list)
    }

    /// Stores that the invitation with this `id` to `room` is revoked. One that is unknown, since it was
    /// signed without state, is revoked until `expires_at`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as [`State::change`].
    pub async fn revoke_invitation(
        &self,
        room: &str,
        id: &str,
        expires_at: u64,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        let revoke = |item: &Item| {
            let unknown = || StoredInvitation { expires_at, ..StoredInvitation::default() };
            let stored = item.invitation.clone().unwrap_or_else(unknown);
            Some(Change::Invitation(StoredInvitation { is_revoked: true, ..stored }))
        };
        self.change_by((room, &key(id)), revoke, now).await.map(drop)
    }
}

fn key(id: &str) -> String {
    format!("{PREFIX}{id}")
}
