//! Agents that are dispatched into a room: those of the rule, and those that the client requests.

use std::fmt;

use super::Refusal;
use super::claims::ClaimLookup;
use super::pattern::Pattern;
use crate::livekit::room_config::{AGENTS, AgentDispatch};

/// The reason for which a requested agent is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentRefusal {
    /// The rule does not list the agent.
    Name,
    /// The rule does not list the deployment.
    Deployment,
    /// The rule dispatches the agent with other metadata.
    Metadata,
    /// The request lists the agent twice, with different metadata.
    Twice,
    /// More than one agent has no name.
    Unnamed,
    /// The rule and the request dispatch more agents than one token may.
    TooMany,
}

impl AgentRefusal {
    /// The text for the client, which names the remedy.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Name => {
                "agent_name must be an agent that the policy allows clients to dispatch (agents)"
            }
            Self::Deployment => {
                "deployment must be one that the policy allows clients to select (deployments)"
            }
            Self::Metadata => {
                "metadata must be absent for this agent: the policy dispatches it with other metadata"
            }
            Self::Twice => "room_config.agents must not list an agent twice",
            Self::Unnamed => "room_config.agents must have at most one agent without agent_name",
            Self::TooMany => {
                "room_config.agents must have at most 10 agents, with those of the policy"
            }
        }
    }
}

impl fmt::Display for AgentRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail())
    }
}

impl std::error::Error for AgentRefusal {}

/// Patterns of the agents and deployments that clients may request.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestableAgents {
    /// Names of agents. The agent without a name needs no entry.
    pub(super) names: Vec<Pattern>,
    /// Names of deployments, for every agent that may be requested.
    pub(super) deployments: Vec<Pattern>,
}

impl RequestableAgents {
    /// Adds the `requested` agents to `dispatched`, which are those of the rule.
    ///
    /// The result contains no agent twice. A request for an agent that the rule dispatches adds nothing.
    pub(super) fn add<'a>(
        &'a self,
        dispatched: &mut Vec<AgentDispatch>,
        requested: &[AgentDispatch],
        claims: &ClaimLookup<'a>,
    ) -> Result<(), Refusal> {
        let of_rule = dispatched.len();
        for agent in requested {
            let is_same = |other: &AgentDispatch| {
                other.agent_name == agent.agent_name && other.deployment == agent.deployment
            };
            match dispatched.iter().position(is_same) {
                Some(place) if place < of_rule => {
                    if !agent.metadata.is_empty() && agent.metadata != dispatched[place].metadata {
                        return Err(Refusal::Agent(AgentRefusal::Metadata));
                    }
                }
                Some(place) => {
                    if agent != &dispatched[place] {
                        return Err(Refusal::Agent(AgentRefusal::Twice));
                    }
                }
                None => {
                    self.check(agent, claims).map_err(Refusal::Agent)?;
                    if agent.agent_name.is_empty() && has_unnamed(dispatched) {
                        return Err(Refusal::Agent(AgentRefusal::Unnamed));
                    }
                    dispatched.push(agent.clone());
                }
            }
        }
        if dispatched.len() > AGENTS.max(of_rule) {
            return Err(Refusal::Agent(AgentRefusal::TooMany));
        }
        Ok(())
    }

    fn check<'a>(
        &'a self,
        agent: &AgentDispatch,
        claims: &ClaimLookup<'a>,
    ) -> Result<(), AgentRefusal> {
        let is_listed = |patterns: &'a [Pattern], name: &str| {
            name.is_empty() || patterns.iter().any(|pattern| pattern.matches(name, claims))
        };
        if !is_listed(&self.names, &agent.agent_name) {
            return Err(AgentRefusal::Name);
        }
        if !is_listed(&self.deployments, &agent.deployment) {
            return Err(AgentRefusal::Deployment);
        }
        Ok(())
    }
}

/// Whether one of the agents has no name.
pub(super) fn has_unnamed(agents: &[AgentDispatch]) -> bool {
    agents.iter().any(|agent| agent.agent_name.is_empty())
}
