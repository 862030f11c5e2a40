//! How rooms are set up: by the policy, and by clients as far as it lets them.

use super::Refusal;
use crate::livekit::room_config::RoomConfiguration;

/// How much clients may ask of a room; 0 where nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoomConfigLimits {
    /// Most seconds.
    pub(super) empty_timeout: u32,
    /// Most seconds.
    pub(super) departure_timeout: u32,
    /// Most participants.
    pub(super) max_participants: u32,
    /// Most bytes.
    pub(super) metadata: u32,
}

impl RoomConfigLimits {
    /// `own`, which the policy says, with what is `asked` in its place or, of agents, beside it. A
    /// field that is asked beyond its cap is refused, never cut: SDKs take what they asked for for what
    /// they got. Agents must be allowed already.
    pub(super) fn apply(
        &self,
        own: &RoomConfiguration,
        asked: &RoomConfiguration,
    ) -> Result<RoomConfiguration, Refusal> {
        let mut agents = own.agents.clone();
        agents.extend(asked.agents.iter().filter(|agent| !own.agents.contains(agent)).cloned());
        let bytes = u32::try_from(asked.metadata.len()).unwrap_or(u32::MAX);
        let metadata = if asked.metadata.is_empty() || asked.metadata == own.metadata {
            &own.metadata
        } else if bytes <= self.metadata {
            &asked.metadata
        } else {
            return Err(Refusal::RoomConfig("room_config.metadata is not yours to set"));
        };
        Ok(RoomConfiguration {
            empty_timeout: within(
                (own.empty_timeout, asked.empty_timeout, self.empty_timeout),
                "room_config.empty_timeout is not yours to set, or is too high",
            )?,
            departure_timeout: within(
                (own.departure_timeout, asked.departure_timeout, self.departure_timeout),
                "room_config.departure_timeout is not yours to set, or is too high",
            )?,
            max_participants: within(
                (own.max_participants, asked.max_participants, self.max_participants),
                "room_config.max_participants is not yours to set, or is too high",
            )?,
            agents,
            metadata: metadata.clone(),
        })
    }
}

/// What is asked, where it is at most the cap; what is our own, where nothing is.
fn within((own, asked, cap): (u32, u32, u32), detail: &'static str) -> Result<u32, Refusal> {
    match asked {
        0 => Ok(own),
        _ if asked <= cap || asked == own => Ok(asked),
        _ => Err(Refusal::RoomConfig(detail)),
    }
}

/// What a rule says, and where it says nothing, what `of_role` does.
pub(super) fn merge(own: RoomConfiguration, of_role: &RoomConfiguration) -> RoomConfiguration {
    let or = |own: u32, other: u32| if own == 0 { other } else { own };
    RoomConfiguration {
        empty_timeout: or(own.empty_timeout, of_role.empty_timeout),
        departure_timeout: or(own.departure_timeout, of_role.departure_timeout),
        max_participants: or(own.max_participants, of_role.max_participants),
        agents: if own.agents.is_empty() { of_role.agents.clone() } else { own.agents },
        metadata: if own.metadata.is_empty() { of_role.metadata.clone() } else { own.metadata },
    }
}
