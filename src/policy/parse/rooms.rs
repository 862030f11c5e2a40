//! Parser of a policy's text: room settings, and the limits for those of clients.

use toml::de::DeValue;

use super::faults::{Faults, Located, number, text};
use super::template;
use crate::livekit::room_config::{AGENTS, AgentDispatch};
use crate::livekit::token_source::METADATA_BYTES;
use crate::policy::agents::has_unnamed;
use crate::policy::room_limits::RoomConfigLimits;
use crate::policy::room_settings::RoomSettings;
use crate::policy::template::Template;
use crate::reason::Reason;
use crate::text::is_name;

/// Reads the `room_config` of a role or a rule.
pub(super) fn settings(value: &Located<'_>, faults: &mut Faults<'_>) -> RoomSettings {
    const METADATA: &str = "metadata must be a string of 1 to 4096 bytes";
    let mut settings = RoomSettings::default();
    let config = &mut settings.config;
    let table = faults.table(value, "room_config must be a table");
    for (key, value) in table.into_iter().flatten() {
        let field = match key.get_ref().as_ref() {
            "empty_timeout" => &mut config.empty_timeout,
            "departure_timeout" => &mut config.departure_timeout,
            "max_participants" => &mut config.max_participants,
            "metadata" => {
                let metadata = faults.read(value, |value| bounded(value, METADATA_BYTES, METADATA));
                config.metadata = metadata.unwrap_or_default();
                continue;
            }
            "agents" => {
                (config.agents, settings.metadata) = agents(value, faults);
                continue;
            }
            _ => {
                faults.add(
                    key.span().start,
                    "no such field of room_config: there are max_participants, empty_timeout, \
                     departure_timeout, metadata and agents",
                );
                continue;
            }
        };
        *field = faults.read(value, count).unwrap_or_default();
    }
    settings
}

/// Reads `allow_room_config`.
pub(super) fn limits(value: &Located<'_>, faults: &mut Faults<'_>) -> RoomConfigLimits {
    const NUMBER: Reason =
        Reason("must be the highest number that a client may request, 1 to 4294967295");
    const BYTES: Reason = Reason("must be the most bytes that a client may request, 1 to 4096");
    let mut limits = RoomConfigLimits::default();
    let table = faults.table(value, "allow_room_config must be a table");
    for (key, value) in table.into_iter().flatten() {
        let (field, most, wrong) = match key.get_ref().as_ref() {
            "empty_timeout" => (&mut limits.empty_timeout, u32::MAX, NUMBER),
            "departure_timeout" => (&mut limits.departure_timeout, u32::MAX, NUMBER),
            "max_participants" => (&mut limits.max_participants, u32::MAX, NUMBER),
            "metadata" => {
                (&mut limits.metadata, u32::try_from(METADATA_BYTES).unwrap_or(u32::MAX), BYTES)
            }
            _ => {
                faults.add(
                    key.span().start,
                    "no such field of allow_room_config: there are max_participants, empty_timeout, \
                     departure_timeout and metadata; agents have a list of their own",
                );
                continue;
            }
        };
        *field = faults.read(value, |value| number(value, 1..=most, wrong)).unwrap_or_default();
    }
    limits
}

/// Reads a number of seconds or participants.
pub(super) fn count(value: &DeValue<'_>) -> Result<u32, Reason> {
    number(value, 1..=u32::MAX, Reason("must be a whole number from 1 to 4294967295"))
}

fn agents(
    value: &Located<'_>,
    faults: &mut Faults<'_>,
) -> (Vec<AgentDispatch>, Vec<(usize, Template)>) {
    const WRONG: &str = "agents of room_config must be a list of 1 to 10 tables, such as { agent_name = \"notes\" }";
    let items = faults.list(value, WRONG);
    let (mut agents, mut metadata) = (Vec::<AgentDispatch>::new(), Vec::new());
    if items.len() > AGENTS {
        faults.add(value.span().start, WRONG);
        return (agents, metadata);
    }
    for item in items {
        let Some((agent, template)) = agent(item, faults) else { continue };
        let is_same = |other: &AgentDispatch| {
            other.agent_name == agent.agent_name && other.deployment == agent.deployment
        };
        if agents.iter().any(is_same) {
            faults.add(item.span().start, "agents of room_config must not list an agent twice");
        } else if agent.agent_name.is_empty() && has_unnamed(&agents) {
            let reason = "agents of room_config must have at most one agent without agent_name";
            faults.add(item.span().start, reason);
        }
        metadata.extend(template.map(|template| (agents.len(), template)));
        agents.push(agent);
    }
    (agents, metadata)
}

/// Reads an agent, and its metadata if that contains claims.
fn agent(
    value: &Located<'_>,
    faults: &mut Faults<'_>,
) -> Option<(AgentDispatch, Option<Template>)> {
    const NAME: Reason = Reason("must be 1 to 256 bytes of text without control characters");
    const METADATA: &str = "an agent's metadata must be a string of 1 to 4096 bytes";
    let table = faults.table(value, "an agent of room_config must be a table")?;
    let (mut agent, mut with_claims) = (AgentDispatch::default(), None);
    for (key, value) in table {
        let name = |value: &DeValue<'_>| {
            text(value).ok().filter(|name| is_name(name)).map(str::to_owned).ok_or(NAME)
        };
        match key.get_ref().as_ref() {
            "agent_name" => agent.agent_name = faults.read(value, name).unwrap_or_default(),
            "deployment" => agent.deployment = faults.read(value, name).unwrap_or_default(),
            "metadata" => {
                let read = faults.read(value, |value| bounded(value, METADATA_BYTES, METADATA));
                let Some(metadata) = read else { continue };
                with_claims = template(&metadata, value, faults)
                    .filter(|template| template.claims().next().is_some());
                if with_claims.is_none() {
                    agent.metadata = metadata;
                }
            }
            _ => faults.add(
                key.span().start,
                "no such field of an agent: there are agent_name, metadata and deployment",
            ),
        }
    }
    Some((agent, with_claims))
}

fn bounded(value: &DeValue<'_>, most: usize, wrong: &'static str) -> Result<String, Reason> {
    let text = text(value).map_err(|_| Reason(wrong))?;
    if text.len() <= most { Ok(text.to_owned()) } else { Err(Reason(wrong)) }
}
