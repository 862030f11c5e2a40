//! The use cases: participant tokens for callers, backends and guests, moderation, roles during a call, the
//! waiting room, invitations, Liveblocks tokens.

mod author;
mod authorization;
mod backend;
mod bans;
mod diagnosis;
mod error;
mod guests;
mod invitations;
mod liveblocks;
mod moderation;
mod roles;
mod room;
mod signing;
mod waiting;
mod webhook;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::rand;
use futures_util::future::join_all;

use crate::ask::AskClient;
use crate::backend::replay::Replays;
use crate::bearer::UnverifiedBearer;
use crate::liveblocks::Liveblocks;
use crate::livekit::token_source::TokenSourceRequest;
use crate::lobby::HostPresence;
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::error::VerifyError;
use crate::oidc::issuer::Issuer;
use crate::oidc::jwt;
use crate::participant::{
    ClientField, ParticipantError, ParticipantSettings, check_reserved, reserved_key,
};
use crate::policy::{CallerClaims, Policy};
use crate::presence::Presence;
use crate::profile::resolver::ProfileResolver;
use crate::profile::{Profile, ProfileError};
use crate::rate_limit::RateLimits;
use crate::secrets::{SecretStore, Secrets};
use crate::state::State;
use crate::text::Name;
use crate::upstream::client::Client;

pub use author::Author;
pub use bans::BanRequest;
pub use diagnosis::{Asked, Diagnosis, Pending, Question};
pub use error::ExchangeError;
pub use guests::{Guest, GuestSecret};
pub use moderation::{ModerationAction, ParticipantRef};
pub use signing::Issued;
use signing::Participant;
use waiting::Visitor;
pub use waiting::WaitingPerson;

/// An issuer whose access tokens are accepted.
pub struct IssuerContext {
    /// The name in `OIDC_ISSUER`, if there are several issuers.
    pub name: Option<String>,
    /// The issuer's keys and verifier.
    pub issuer: Issuer,
    /// Sources of the profiles of its subjects.
    pub profiles: ProfileResolver,
    /// The name under which the secret can contain the key shared with the issuer.
    pub hs256_name: String,
}

/// The authenticated person behind a request.
pub struct Caller<'a> {
    /// The claims of the access token.
    pub claims: VerifiedClaims,
    /// The secrets that verified the access token and sign the participant token.
    pub secrets: Arc<Secrets>,
    bearer: UnverifiedBearer<'a>,
    issuer_context: &'a IssuerContext,
}

/// The use cases of one deployment.
pub struct Exchange {
    /// Accepted issuers. Never empty.
    pub issuers: Vec<IssuerContext>,
    /// The authorization policy.
    pub policy: Policy,
    /// The presence colors.
    pub presence: Presence,
    /// The signing key and the providers' API keys.
    pub secrets: SecretStore,
    /// The settings that turn a caller into a participant.
    pub participant: ParticipantSettings,
    /// The HTTP client for LiveKit's `RoomService`.
    pub client: Arc<Client>,
    /// The client for the app that decides by its own data.
    pub ask_client: AskClient,
    /// The client for the Liveblocks API.
    pub liveblocks: Liveblocks,
    /// Signatures of recently accepted backend requests.
    pub replays: Replays,
    /// The limits of participant tokens per minute and person. `None` limits nobody.
    pub rate_limits: Option<RateLimits>,
    /// Bans, given roles, the waiting room and invitations, if the deployment keeps them.
    pub state: Option<State>,
    /// The presence of hosts in rooms with a waiting room.
    pub host_presence: HostPresence,
}

impl Exchange {
    /// Fetches key sets and secret in parallel, before the first request needs them. A failure is
    /// logged and is not fatal: the next request tries again.
    pub async fn warm_up(&self, now: SystemTime) {
        let issuers =
            join_all(self.issuers.iter().map(|issuer_context| issuer_context.issuer.warm_up(now)));
        tokio::join!(issuers, self.secrets.warm_up(now));
    }

    /// Authenticates the caller by the access token in `bearer`, as of `now`.
    ///
    /// Of several issuers, only the one that the token's `iss` names exactly verifies it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Rejected`] if the token is invalid.
    /// - [`ExchangeError::Unavailable`] if it cannot be verified now.
    pub async fn authenticate<'a>(
        &'a self,
        bearer: UnverifiedBearer<'a>,
        now: SystemTime,
    ) -> Result<Caller<'a>, ExchangeError> {
        let token = bearer.as_str();
        let issuer_context = self.issuer_of(bearer)?;
        let secrets = match self.secrets.fresh(now) {
            Some(secrets) => secrets,
            None => Box::pin(self.refreshed_secrets(issuer_context, token, now)).await?,
        };
        let shared = secrets.hs256.get(&issuer_context.hs256_name);
        let claims = issuer_context.issuer.authenticate(token, shared, now).await?;
        Ok(Caller { claims, secrets, bearer, issuer_context })
    }

    /// Returns the secrets after a fetch. If only their TTL has passed, the issuer's keys are refreshed
    /// beside them if they are due as well: the request waits one round trip in place of two.
    async fn refreshed_secrets(
        &self,
        issuer_context: &IssuerContext,
        token: &str,
        now: SystemTime,
    ) -> Result<Arc<Secrets>, ExchangeError> {
        // Nothing is fetched for what is not a token.
        issuer_context.issuer.verifier().check_form(token)?;
        let needs_keys =
            |secrets: Arc<Secrets>| !secrets.hs256.contains_key(&issuer_context.hs256_name);
        if self.secrets.cached(now).is_some_and(needs_keys) {
            let keys = issuer_context.issuer.warm_up(now);
            return Ok(tokio::join!(self.secrets.get(now), keys).0?);
        }
        Ok(self.secrets.get(now).await?)
    }

    /// Returns the result of `verify` and the secrets that it used. If its error `is_unknown_key`, another
    /// process may know a newer secret, which is fetched once more unless the cool-down forbids it.
    async fn verified_with_secrets<T>(
        &self,
        verify: impl Fn(&Secrets) -> Result<T, ExchangeError>,
        is_unknown_key: impl Fn(&ExchangeError) -> bool,
        now: SystemTime,
    ) -> Result<(T, Arc<Secrets>), ExchangeError> {
        let secrets = self.secrets.get(now).await?;
        match verify(&secrets) {
            Err(error) if is_unknown_key(&error) => {
                let newer = self.secrets.refresh(now).await?;
                Ok((verify(&newer)?, newer))
            }
            verified => Ok((verified?, secrets)),
        }
    }

    /// Returns the only issuer, or of several the one that the unverified `iss` names.
    fn issuer_of(&self, bearer: UnverifiedBearer<'_>) -> Result<&IssuerContext, VerifyError> {
        if let [only] = self.issuers.as_slice() {
            return Ok(only);
        }
        let unverified_issuer = jwt::unverified_issuer(bearer.as_str())?;
        let is_named = |issuer_context: &&IssuerContext| {
            issuer_context.issuer.verifier().accepts_issuer(&unverified_issuer)
        };
        self.issuers.iter().find(is_named).ok_or(VerifyError::Issuer)
    }

    /// Counts a request of `caller` for a participant token. To be called before anything of the request
    /// is decided, so that a refused request learns nothing else.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::TooManyRequests`] if `TOKENS_PER_MINUTE` is reached.
    pub fn check_rate(&self, caller: &Caller<'_>, now: SystemTime) -> Result<(), ExchangeError> {
        match &self.rate_limits {
            Some(limits) => Ok(limits.people.count(&caller.key(), 1, now)?),
            None => Ok(()),
        }
    }

    /// Issues the participant token that `request` asks for to `caller`.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Participant`] for a field that the client may not set, and for a caller
    ///   without an email address that can be the identity.
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, an agent or a field.
    /// - [`ExchangeError::Rejected`], [`ExchangeError::UserNotFound`] and
    ///   [`ExchangeError::Unavailable`] from the sources of the profile.
    /// - [`ExchangeError::Banned`], and [`ExchangeError::Unavailable`] if the state is.
    /// - [`ExchangeError::AwaitingAdmission`] and the other errors of the waiting room, if the rule has one.
    /// - [`ExchangeError::TokenTooLarge`] and [`ExchangeError::Bug`].
    pub async fn issue(
        &self,
        caller: &Caller<'_>,
        request: &TokenSourceRequest,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        check_reserved(request)?;
        let room = request.room_name.as_ref().map(Name::as_str);
        let fields = caller.client_fields(&self.policy, room);
        self.participant.check_client_fields(fields, request)?;
        let (authorization, profile, early_state) = tokio::join!(
            self.authorize(caller, room, &request.room_config, now),
            caller.profile(now),
            self.read_early(caller, room, now),
        );
        let (key, profile) = (caller.key(), profile?);
        let person = caller.issuer_context.identity_of(&self.participant, &key, &profile)?;
        let identity =
            self.participant.with_device(&person, request.participant_identity.as_ref())?;
        let requested = request.participant_name.as_deref();
        let name = self.participant.name_of(fields, &profile, requested)?;

        let authorization = authorization?;
        let keys = request.participant_attributes.keys();
        let is_requested = |own: &str| keys.clone().any(|key| key.eq_ignore_ascii_case(own));
        if let Some((own, _)) = authorization.attributes.iter().find(|(own, _)| is_requested(own)) {
            return Err(reserved_key(own).into());
        }
        let named = authorization.fresh_room.or_else(|| request.room_name.clone());
        let named = named.ok_or(ExchangeError::Bug("the participant has no room"))?;
        let visitor = Visitor {
            lobby: authorization.lobby,
            room: named.as_str(),
            person: &person,
            name: &name,
            secrets: &caller.secrets,
        };
        let state = self.check_visitor(visitor, early_state, room, now).await?;
        let role = self.present_or(authorization.role, &state);

        let of_client = request.participant_attributes.iter();
        let of_client = of_client.map(|(key, value)| (key.as_str(), value.as_str()));
        let of_rule = authorization.attributes.iter().map(|(key, value)| (*key, value.as_ref()));
        self.sign_participant_token(
            Participant {
                person: &person,
                identity: &identity,
                name,
                picture: profile.picture(),
                metadata: request.participant_metadata.as_deref(),
                attributes: of_client.chain(of_rule).collect(),
                room: named,
                role,
                room_config: authorization.room_config,
                ttl: role.ttl.unwrap_or(self.participant.token_ttl),
            },
            &caller.secrets,
            now,
        )
    }
}

impl IssuerContext {
    fn key_of<'a>(&self, claims: &'a VerifiedClaims) -> Cow<'a, str> {
        let subject = claims.subject().as_str();
        match &self.name {
            None => Cow::Borrowed(subject),
            Some(name) => Cow::Owned(format!("{name}|{subject}")),
        }
    }

    /// Returns the identity of the person with `key` and `profile`, by `settings` and the issuer's
    /// requirement for the email address.
    fn identity_of<'b>(
        &self,
        settings: &ParticipantSettings,
        key: &'b str,
        profile: &'b Profile,
    ) -> Result<Cow<'b, str>, ParticipantError> {
        settings.identity_of(key, profile, self.profiles.requirements().verified_email)
    }
}

impl Caller<'_> {
    /// Returns the unique key of the caller: the subject, after the issuer's name if there are
    /// several, since two issuers may give two people the same subject.
    pub fn key(&self) -> Cow<'_, str> {
        self.issuer_context.key_of(&self.claims)
    }

    /// The identity that the policy decides about. `key` is that of [`Caller::key`].
    fn for_policy<'b>(&'b self, key: &'b str) -> CallerClaims<'b> {
        let issuer = self.issuer_context.name.as_deref();
        CallerClaims { claims: self.claims.as_object(), key, issuer }
    }

    /// The request fields that clients may set by the deciding rule, if it lists them.
    fn client_fields<'p>(
        &self,
        policy: &'p Policy,
        room: Option<&str>,
    ) -> Option<&'p [ClientField]> {
        if !policy.has_client_fields() {
            return None;
        }
        policy.client_fields(self.for_policy(&self.key()), room)
    }

    async fn profile(&self, now: SystemTime) -> Result<Profile, ProfileError> {
        self.issuer_context
            .profiles
            .find(&self.claims, self.bearer.as_str(), &self.secrets, now)
            .await
    }
}

/// Returns 128 random bits as 32 hex digits.
fn unguessable() -> Result<String, ExchangeError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| ExchangeError::Bug("no randomness"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
