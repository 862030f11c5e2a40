//! Room settings of a rule or a role, with claims in the metadata of agents.

use super::claims::ClaimLookup;
use super::template::Template;
use crate::livekit::room_config::RoomConfiguration;

/// The `room_config` of a rule or a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RoomSettings {
    /// The settings. The metadata of agents with a template is empty.
    pub(super) config: RoomConfiguration,
    /// Metadata with claims, by the place of the agent in the list.
    pub(super) metadata: Vec<(usize, Template)>,
}

impl RoomSettings {
    /// Completes the settings of a rule with those of its role.
    pub(super) fn or(self, role: &Self) -> Self {
        let or = |own: u32, other: u32| if own == 0 { other } else { own };
        let (own, other) = (self.config, &role.config);
        let (agents, metadata) = if own.agents.is_empty() {
            (other.agents.clone(), role.metadata.clone())
        } else {
            (own.agents, self.metadata)
        };
        let config = RoomConfiguration {
            empty_timeout: or(own.empty_timeout, other.empty_timeout),
            departure_timeout: or(own.departure_timeout, other.departure_timeout),
            max_participants: or(own.max_participants, other.max_participants),
            agents,
            metadata: if own.metadata.is_empty() { other.metadata.clone() } else { own.metadata },
        };
        Self { config, metadata }
    }

    /// Whether every claim in the metadata of agents has a value.
    pub(super) fn has_claims<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.metadata.iter().all(|(_, template)| template.has_claims(claims))
    }

    /// The settings for a caller. Metadata stays empty if a claim in it has no value, which happens only
    /// to backends: a rule with such metadata applies to no other caller.
    pub(super) fn fill<'a>(&'a self, claims: &ClaimLookup<'a>) -> RoomConfiguration {
        let mut config = self.config.clone();
        for (place, template) in &self.metadata {
            if let (Some(agent), Some(text)) =
                (config.agents.get_mut(*place), template.fill(claims))
            {
                agent.metadata = text.into_owned();
            }
        }
        config
    }
}
