//! The sender of a request that callers and backends may send.

use std::sync::Arc;

use super::Caller;
use crate::secrets::Secrets;

/// The sender of a request about bans or invitations.
pub enum Author<'a> {
    /// A caller, whose role decides.
    Caller(Box<Caller<'a>>),
    /// A backend, which may act in every room, with the secrets that verified it.
    Backend(Arc<Secrets>),
}

impl Author<'_> {
    /// The secrets that verified the sender.
    pub fn secrets(&self) -> &Arc<Secrets> {
        match self {
            Self::Caller(caller) => &caller.secrets,
            Self::Backend(secrets) => secrets,
        }
    }
}
