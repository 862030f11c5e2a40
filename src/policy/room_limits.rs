//! Room settings that clients choose within limits.

use super::Refusal;
use crate::livekit::room_config::RoomConfiguration;

/// The maximum that clients may request for each setting; 0 if they may not set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoomConfigLimits {
    /// In seconds.
    pub(super) empty_timeout: u32,
    /// In seconds.
    pub(super) departure_timeout: u32,
    pub(super) max_participants: u32,
    /// In bytes.
    pub(super) metadata: u32,
}

impl RoomConfigLimits {
    /// Replaces settings of the rule in `config` with the `requested` ones; agents are not among them. A
    /// value over its limit is rejected instead of reduced: SDKs assume that they got what they requested.
    pub(super) fn apply(
        &self,
        config: &mut RoomConfiguration,
        requested: &RoomConfiguration,
    ) -> Result<(), Refusal> {
        replace(
            (&mut config.empty_timeout, requested.empty_timeout, self.empty_timeout),
            "room_config.empty_timeout is not allowed or exceeds the policy's limit",
        )?;
        replace(
            (&mut config.departure_timeout, requested.departure_timeout, self.departure_timeout),
            "room_config.departure_timeout is not allowed or exceeds the policy's limit",
        )?;
        replace(
            (&mut config.max_participants, requested.max_participants, self.max_participants),
            "room_config.max_participants is not allowed or exceeds the policy's limit",
        )?;
        let is_new = !requested.metadata.is_empty() && requested.metadata != config.metadata;
        if is_new {
            let bytes = u32::try_from(requested.metadata.len()).unwrap_or(u32::MAX);
            if bytes > self.metadata {
                return Err(Refusal::RoomConfig(
                    "room_config.metadata is not allowed or exceeds the policy's limit",
                ));
            }
            config.metadata.clone_from(&requested.metadata);
        }
        Ok(())
    }
}

/// Replaces `value` with `requested`, unless that is 0, which requests nothing.
fn replace(
    (value, requested, limit): (&mut u32, u32, u32),
    detail: &'static str,
) -> Result<(), Refusal> {
    if requested != 0 && requested != *value {
        if requested > limit {
            return Err(Refusal::RoomConfig(detail));
        }
        *value = requested;
    }
    Ok(())
}
