//! The authorization policy: rules in order, and the roles that they give.

mod agents;
mod ask;
mod asking;
mod claims;
mod condition;
mod explain;
mod liveblocks;
mod outcome;
mod parse;
mod pattern;
mod role;
mod room_limits;
mod room_settings;
mod template;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;

use crate::livekit::room_config::RoomConfiguration;
pub use crate::livekit::token_source::RequestedRoomConfig;
use crate::lobby::Lobby;
use crate::participant::ClientField;
pub use agents::AgentRefusal;
use agents::RequestableAgents;
use ask::Ask;
pub use asking::Asking;
pub use claims::CallerClaims;
use claims::ClaimLookup;
use condition::Condition;
pub use explain::{Explanation, Obstacle};
pub use parse::faults::{PolicyError, PolicyFault};
use pattern::Pattern;
pub use role::Role;
use room_limits::RoomConfigLimits;
use room_settings::RoomSettings;
use template::Template;

/// The text of `policy.toml`, which applies if no other policy is configured.
pub const BUILT_IN: &str = include_str!("../policy.toml");

/// An ordered list of rules. The first rule that matches decides; if none matches, the request is
/// rejected.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    roles: BTreeMap<String, Role>,
}

/// One `[[allow]]`: conditions on the caller, the rooms, and the role.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The line in the text, from 1.
    pub line: usize,
    /// The role of the callers to whom the rule applies.
    pub role: Role,
    /// The fields that clients may set, if the rule replaces `CLIENT_FIELDS`.
    client_fields: Option<Vec<ClientField>>,
    /// The configured name of the issuer whose callers the rule is for.
    issuer: Option<String>,
    when: Vec<Condition>,
    rooms: Vec<Pattern>,
    agents: RequestableAgents,
    /// Attributes of the participant, by key.
    attributes: Vec<(String, Template)>,
    room: RoomSettings,
    limits: RoomConfigLimits,
    /// The waiting room, for roles that do not moderate.
    pub lobby: Option<Lobby>,
    /// Liveblocks rooms.
    liveblocks: Vec<Pattern>,
    /// The question to the app, if the rule asks.
    ask: Option<Arc<Ask>>,
    /// The roles that the app may give, with the room settings of the rule for each.
    by_app: Vec<(Role, RoomSettings)>,
}

/// The result for an allowed request.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The rule that decided.
    pub rule: &'a Rule,
    /// The role: the one that the app gives, or else the rule's.
    pub role: &'a Role,
    /// The start of a new room's name, if no room was requested.
    pub fresh_room_prefix: String,
    /// The room settings: those of the rule, and the requested ones that it allows.
    pub room_config: RoomConfiguration,
    /// The attributes that the rule sets. Clients must not set these keys.
    pub attributes: Vec<(&'a str, Cow<'a, str>)>,
}

/// The reason for which a request is rejected. Contains nothing that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No rule allows the room; or no room was requested, and no rule allows a new one.
    #[error("no rule of the policy allows the room for this caller")]
    Room,
    /// A room or a claim cannot be a part of the URL of `ask`.
    #[error("a value in the URL of ask is empty, . or ..")]
    AskUrl,
    /// The deciding rule does not allow an agent.
    #[error("{0}")]
    Agent(AgentRefusal),
    /// The caller's role does not allow the action, or not against this participant.
    #[error("the caller's role does not allow the action")]
    Moderation,
    /// The caller's role does not invite guests with this role.
    #[error("the caller's role may not invite guests with this role")]
    Invitation,
    /// The policy has no such role.
    #[error("the policy has no such role")]
    Role,
    /// The deciding rule does not allow this value of a field of `room_config`.
    #[error("{0}")]
    RoomConfig(&'static str),
}

impl Policy {
    /// Parses the text of a policy (`docs/policy.md`).
    ///
    /// # Errors
    ///
    /// [`PolicyError`] lists every fault with its line, and quotes nothing of the text.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = roomkey::Policy::parse(
    ///     r#"
    ///     [[allow]]
    ///     rooms = ["*"]
    ///     role = "admin"
    ///     limit = 5
    ///     "#,
    /// );
    /// let faults = error.unwrap_err().to_string();
    /// assert!(faults.contains("4: role must be") && faults.contains("5: no such field"), "{faults}");
    /// assert!(!faults.contains("admin"), "{faults}");
    /// ```
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::parse(text)
    }

    /// Returns a fault for each rule whose `issuer` is not one of `names`.
    pub fn unknown_issuers(&self, names: &[&str]) -> Vec<PolicyFault> {
        let is_unknown =
            |rule: &&Rule| rule.issuer.as_deref().is_some_and(|issuer| !names.contains(&issuer));
        let reason = "issuer must be the name of an issuer of OIDC_ISSUER, which then is \
                      written as name=issuer";
        let fault = |rule: &Rule| PolicyFault { line: rule.line, reason: reason.into() };
        self.rules.iter().filter(is_unknown).map(fault).collect()
    }

    /// Decides whether a verified caller may join `room`, or a new room if none is requested, and with
    /// which settings.
    ///
    /// Costs about a tenth of a microsecond per rule.
    ///
    /// # Errors
    ///
    /// - [`Refusal::Room`] if no rule matches
    /// - [`Refusal::Agent`] and [`Refusal::RoomConfig`] if the matching rule does not allow `requested`
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::Policy;
    /// use roomkey::policy::{CallerClaims, Refusal, RequestedRoomConfig};
    /// use serde_json::json;
    ///
    /// let policy = Policy::parse(
    ///     r#"
    ///     [[allow]]
    ///     when = { org_role = "admin" }
    ///     rooms = ["{org_id}:*"]
    ///     role = "host"
    ///
    ///     [[allow]]
    ///     rooms = ["lobby"]
    ///     role = "viewer"
    ///     "#,
    /// )?;
    /// let admin = json!({ "sub": "ada", "org_id": "acme", "org_role": "admin" });
    /// let caller = CallerClaims::new(admin.as_object().unwrap());
    /// let nothing = RequestedRoomConfig::default();
    /// // The first rule that matches decides.
    /// assert_eq!(policy.decide(caller, Some("acme:standup"), &nothing).unwrap().rule.role.name, "host");
    /// assert_eq!(policy.decide(caller, Some("lobby"), &nothing).unwrap().rule.role.name, "viewer");
    /// // A room of another organization matches no rule.
    /// assert_eq!(policy.decide(caller, Some("globex:standup"), &nothing).unwrap_err(), Refusal::Room);
    /// # Ok::<_, roomkey::PolicyError>(())
    /// ```
    pub fn decide(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
        requested: &RequestedRoomConfig,
    ) -> Result<Decision<'_>, Refusal> {
        self.decide_as(caller, room, requested, None)
    }

    /// Decides as [`decide`](Self::decide) does, with the role `by_app` that the app gives, if it gives
    /// one.
    ///
    /// # Errors
    ///
    /// Those of [`decide`](Self::decide), and [`Refusal::Role`] if the rule does not list the role.
    pub fn decide_as(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
        requested: &RequestedRoomConfig,
        by_app: Option<&str>,
    ) -> Result<Decision<'_>, Refusal> {
        let claims = &ClaimLookup::new(caller);
        let rule = self.deciding_rule(room, claims).ok_or(Refusal::Room)?;
        let fresh_room_prefix = rule.fresh_room_prefix(room, claims)?;
        let (given, settings) = rule.role_by(by_app)?;
        if !settings.has_claims(claims) {
            return Err(Refusal::Room);
        }
        let room_config = rule.room_config(settings, requested, claims)?;
        let attributes = rule.filled_attributes(claims).ok_or(Refusal::Room)?;
        Ok(Decision { rule, role: given, fresh_room_prefix, room_config, attributes })
    }

    fn deciding_rule<'r, 'a>(
        &'r self,
        room: Option<&str>,
        claims: &ClaimLookup<'a>,
    ) -> Option<&'r Rule>
    where
        'r: 'a,
    {
        let mut rules = self.rules.iter();
        match room {
            // Most rules allow other rooms, which costs less to find out than whether they apply.
            Some(room) => {
                rules.find(|rule| rule.allows_room(room, claims) && rule.applies_to(claims))
            }
            None => rules.find(|rule| rule.applies_to(claims)),
        }
    }

    /// Whether any rule has a waiting room.
    pub fn has_lobby(&self) -> bool {
        self.rules.iter().any(|rule| rule.lobby.is_some())
    }

    /// Whether any rule lists the fields that clients may set.
    pub fn has_client_fields(&self) -> bool {
        self.rules.iter().any(|rule| rule.client_fields.is_some())
    }

    /// Returns the fields that clients may set by the rule that decides for `room`. `None` if that rule
    /// does not list any, or if no rule matches; then `CLIENT_FIELDS` applies.
    pub fn client_fields(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
    ) -> Option<&[ClientField]> {
        self.deciding_rule(room, &ClaimLookup::new(caller))?.client_fields.as_deref()
    }

    /// Returns the role and the room settings for a backend, which may use every role in every room.
    ///
    /// A backend has no claims. The first rule that gives the role limits the requested settings; its
    /// attributes are not used.
    ///
    /// # Errors
    ///
    /// - [`Refusal::Role`] if there is no such role
    /// - [`Refusal::Agent`] and [`Refusal::RoomConfig`] if the rule does not allow `requested`
    pub fn decide_for_backend(
        &self,
        role: &str,
        requested: &RequestedRoomConfig,
    ) -> Result<(&Role, RoomConfiguration), Refusal> {
        let role = self.role(role).ok_or(Refusal::Role)?;
        let bare = Rule::from_role(role);
        let first = self.rules.iter().find(|rule| rule.role.name == role.name).unwrap_or(&bare);
        let no_claims = Map::new();
        let claims = ClaimLookup::new(CallerClaims::new(&no_claims));
        Ok((role, first.room_config(&first.room, requested, &claims)?))
    }

    /// Returns the role with this name, built in or defined by the policy.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }
}

impl Rule {
    /// The room patterns, as written.
    pub fn rooms(&self) -> impl Iterator<Item = String> {
        self.rooms.iter().map(ToString::to_string)
    }

    /// Whether one of the patterns is `*`, which matches every room.
    pub fn opens_every_room(&self) -> bool {
        self.rooms.iter().any(|pattern| pattern.to_string() == "*")
    }

    /// The patterns of agents that clients may dispatch, as written.
    pub fn agents(&self) -> impl Iterator<Item = String> {
        self.agents.names.iter().map(ToString::to_string)
    }

    /// Whether the rule is for the caller: the issuer and all conditions match, and the caller has every
    /// claim in braces of rooms, attributes, agent metadata and the URL of `ask`.
    fn applies_to<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.is_for_issuer(claims)
            && self.when.iter().all(|condition| condition.is_met(claims))
            && self.rooms.iter().all(|pattern| pattern.has_claims(claims))
            && self.templates().all(|(_, template)| template.has_claims(claims))
            && self.ask.as_ref().is_none_or(|ask| ask.url.has_claims(claims))
    }

    fn is_for_issuer(&self, claims: &ClaimLookup<'_>) -> bool {
        self.issuer.is_none() || self.issuer.as_deref() == claims.issuer()
    }

    /// The texts with claims in braces, with the field that contains them.
    fn templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let attributes = self.attributes.iter().map(|(_, template)| ("attributes", template));
        let metadata = self.room.metadata.iter().map(|(_, template)| ("room_config", template));
        attributes.chain(metadata)
    }

    fn allows_room<'a>(&'a self, room: &str, claims: &ClaimLookup<'a>) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room, claims))
    }

    /// The rule for a role that no rule gives.
    fn from_role(role: &Role) -> Self {
        Self {
            line: 0,
            role: role.clone(),
            client_fields: None,
            issuer: None,
            when: Vec::new(),
            rooms: Vec::new(),
            agents: RequestableAgents::default(),
            attributes: Vec::new(),
            room: role.room.clone(),
            limits: RoomConfigLimits::default(),
            lobby: None,
            liveblocks: Vec::new(),
            ask: None,
            by_app: Vec::new(),
        }
    }
}
