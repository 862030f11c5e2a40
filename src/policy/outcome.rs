//! The role, the room settings and the attributes that a rule gives to a caller.

use std::borrow::Cow;

use super::claims::ClaimLookup;
use super::role::Role;
use super::room_settings::RoomSettings;
use super::template::Template;
use super::{Refusal, RequestedRoomConfig, Rule};
use crate::livekit::room_config::RoomConfiguration;

impl Rule {
    /// Returns the role with the name `by_app` and the room settings for it, or the rule's own role if
    /// there is no name.
    pub(super) fn role_by(&self, by_app: Option<&str>) -> Result<(&Role, &RoomSettings), Refusal> {
        let Some(name) = by_app else { return Ok((&self.role, &self.room)) };
        let found = self.by_app.iter().find(|(role, _)| role.name == name);
        found.map(|(role, settings)| (role, settings)).ok_or(Refusal::Role)
    }

    /// The start of a new room's name; empty if `room` is requested.
    pub(super) fn fresh_room_prefix<'a>(
        &'a self,
        room: Option<&str>,
        claims: &ClaimLookup<'a>,
    ) -> Result<String, Refusal> {
        if room.is_some() {
            return Ok(String::new());
        }
        let mut open = self.rooms.iter().filter(|pattern| pattern.is_open());
        open.find_map(|pattern| pattern.prefix(claims)).ok_or(Refusal::Room)
    }

    pub(super) fn room_config<'r>(
        &'r self,
        settings: &'r RoomSettings,
        requested: &RequestedRoomConfig,
        claims: &ClaimLookup<'r>,
    ) -> Result<RoomConfiguration, Refusal> {
        let mut config = settings.fill(claims);
        if !requested.is_empty() {
            self.agents.add(&mut config.agents, &requested.config.agents, claims)?;
            self.limits.apply(&mut config, &requested.config)?;
        }
        Ok(config)
    }

    pub(super) fn filled_attributes<'r, 'a>(
        &'r self,
        claims: &ClaimLookup<'a>,
    ) -> Option<Vec<(&'r str, Cow<'r, str>)>>
    where
        'r: 'a,
    {
        let fill = |(key, template): &'r (String, Template)| {
            let text = match template.constant() {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(template.fill(claims)?.into_owned()),
            };
            Some((key.as_str(), text))
        };
        self.attributes.iter().map(fill).collect()
    }
}
