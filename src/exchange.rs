//! The use case: an identity provider's token in, a participant's token out.

mod backend;
mod diagnosis;
mod liveblocks;
mod moderation;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;
use futures_util::future::join_all;

use crate::backend::SignatureError;
use crate::backend::replay::Replays;
use crate::bearer::{BearerError, UnverifiedBearer};
use crate::liveblocks::Liveblocks;
use crate::livekit::access_token::{AccessToken, ParticipantToken, SignError};
use crate::livekit::grants::VideoGrant;
use crate::livekit::room_config::RoomConfiguration;
use crate::livekit::token_source::{InvalidField, TokenSourceRequest};
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::error::VerifyError;
use crate::oidc::issuer::{AuthenticateError, Issuer};
use crate::oidc::jwt;
use crate::participant::{ClientField, ParticipantError, ParticipantSettings};
use crate::policy::{CallerClaims, Policy, Refusal, Role};
use crate::presence::Presence;
use crate::profile::resolver::ProfileResolver;
use crate::profile::{Profile, ProfileError};
use crate::secrets::{self, SecretStore, Secrets};
use crate::text;
use crate::upstream::client::Client;
use crate::upstream::error::Unavailable;

pub use diagnosis::{Diagnosis, Pending, Question};
pub use moderation::{ModerationAction, ParticipantRef};

/// An issuer whose tokens are taken.
pub struct IssuerContext {
    /// What `OIDC_ISSUER` calls it, where there are several.
    pub name: Option<String>,
    /// Its keys and its verifier.
    pub issuer: Issuer,
    /// Who its subjects are to others.
    pub profiles: ProfileResolver,
    /// The name under which the secret may hold what it shares with us.
    pub hs256_name: String,
}

/// Somebody whose token was verified.
pub struct Caller<'a> {
    /// What the token says.
    pub claims: VerifiedClaims,
    /// What served to verify it, and serves to sign: one secret for one request.
    pub secrets: Arc<Secrets>,
    bearer: UnverifiedBearer<'a>,
    issuer_context: &'a IssuerContext,
}

/// Exchanges tokens.
pub struct Exchange {
    /// Whose tokens are taken. Never empty.
    pub issuers: Vec<IssuerContext>,
    /// Who may do what.
    pub policy: Policy,
    /// Their colors.
    pub presence: Presence,
    /// What we sign with.
    pub secrets: SecretStore,
    /// What they become.
    pub participant: ParticipantSettings,
    /// Asks LiveKit.
    pub client: Arc<Client>,
    /// Whom to ask for Liveblocks' tokens.
    pub liveblocks: Liveblocks,
    /// What backends have asked already.
    pub replays: Replays,
}

/// Somebody who is about to be given a token.
struct Participant<'a> {
    /// Who they are, whatever their device.
    person: &'a str,
    identity: &'a str,
    name: &'a str,
    picture: Option<&'a str>,
    metadata: Option<&'a str>,
    /// The app's own.
    attributes: BTreeMap<&'a str, &'a str>,
    room: String,
    role: &'a Role,
    room_config: RoomConfiguration,
    /// Where the role has no time of its own.
    ttl: Duration,
}

/// What a caller is given.
#[derive(Debug)]
pub struct Issued {
    /// What it was signed with, and the address of the server that accepts it.
    pub secrets: Arc<Secrets>,
    /// The participant's token.
    pub token: ParticipantToken,
    /// When it expires.
    pub expires: SystemTime,
    /// The room that it opens.
    pub room: String,
    /// The name in it.
    pub name: String,
    /// The name of the role in it.
    pub role: String,
}

/// Why no participant's token was issued. Knows nothing of HTTP; `Display` is for the operator's
/// log and holds nothing that a caller or an upstream sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No token to look at.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The token is a session cookie, which travels by itself, and the page is not listed.
    #[error("a session cookie from a page that ALLOWED_ORIGINS does not list")]
    Origin,
    /// The token is not believed.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The body is longer than any request.
    #[error("the body is too long")]
    BodyTooLarge,
    /// The body is not JSON by its own account.
    #[error("the body is not application/json")]
    NotJson,
    /// The body is not a request.
    #[error("malformed request: {0}")]
    Malformed(InvalidField),
    /// What is asked, or the person as they are, breaks a rule.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
    /// The policy says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request is not a backend's.
    #[error("{0}")]
    Signature(SignatureError),
    /// The deployment has no key for what is asked.
    #[error("no {0} is configured")]
    NotConfigured(&'static str),
    /// There is no such participant in the room.
    #[error("no such participant in the room")]
    ParticipantNotFound,
    /// The issuer knows no such user.
    #[error("the issuer knows no such user")]
    UserNotFound,
    /// The token would be longer than it may be.
    #[error("the participant's token would be longer than MAX_TOKEN_BYTES")]
    TokenTooLarge,
    /// Somebody we have to ask cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A mistake of ours.
    #[error("{0}")]
    Bug(&'static str),
}

impl Exchange {
    /// Fetches key sets and secret side by side, so that the first request need not. Failures are
    /// logged, not fatal: the next request tries again.
    pub async fn warm_up(&self, now: SystemTime) {
        let issuers =
            join_all(self.issuers.iter().map(|issuer_context| issuer_context.issuer.warm_up(now)));
        tokio::join!(issuers, self.secrets.warm_up(now));
    }

    /// Who calls, by a token that was verified as of `now`.
    ///
    /// Of several issuers, the one that the token's `iss` names exactly checks it, and no other is
    /// tried.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Rejected`] and [`ExchangeError::Unavailable`].
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

    /// Issues what `request` asks for to `caller`.
    ///
    /// # Errors
    ///
    /// All of [`ExchangeError`] but those of [`authenticate`](Self::authenticate).
    pub async fn issue(
        &self,
        caller: &Caller<'_>,
        request: &TokenSourceRequest,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        let room = request.room_name.as_deref();
        let fields = caller.client_fields(&self.policy, room);
        self.participant.check_fields(fields, request)?;
        let profile = caller.profile(now).await?;
        let key = caller.key();
        let person = self.participant.identity_of(&key, &profile)?;
        let identity =
            self.participant.with_device(person, request.participant_identity.as_deref())?;
        let asked = request.participant_name.as_deref();
        let name = self.participant.name_of(fields, &profile, asked)?;

        let decision = self.policy.decide(caller.for_policy(&key), room, &request.room_config)?;
        let mut keys = request.participant_attributes.keys();
        if keys.any(|key| decision.rule.sets_attribute(key)) {
            return Err(ParticipantError::FieldNotAllowed(
                "participant_attributes must not contain a key that the policy sets",
            )
            .into());
        }
        let role = &decision.rule.role;
        let room = match &request.room_name {
            Some(room) => room.clone(),
            None => format!("{}room-{}", decision.fresh_room_prefix, unguessable()?),
        };
        if !text::is_name(&room) {
            return Err(Refusal::Room.into()); // made of a claim that is no part of a name
        }

        let of_client = request.participant_attributes.iter();
        let of_client = of_client.map(|(key, value)| (key.as_str(), value.as_str()));
        let of_rule = decision.attributes.iter().map(|(key, value)| (*key, value.as_ref()));
        self.sign_participant_token(
            Participant {
                person,
                identity: &identity,
                name,
                picture: profile.picture(),
                metadata: request.participant_metadata.as_deref(),
                attributes: of_client.chain(of_rule).collect(),
                room,
                role,
                room_config: decision.room_config,
                ttl: self.participant.token_ttl,
            },
            &caller.secrets,
            now,
        )
    }

    /// The token of `participant`, signed with `secrets`.
    fn sign_participant_token(
        &self,
        participant: Participant<'_>,
        secrets: &Arc<Secrets>,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        let Participant { person, identity, name, mut attributes, room, role, .. } = participant;
        attributes.insert("color", self.presence.color(person));
        attributes.insert("role", &role.name);
        if self.participant.devices {
            attributes.insert("identity", person);
        }
        if let Some(picture) = participant.picture {
            attributes.insert("imageUrl", picture);
        }
        let token = AccessToken {
            identity,
            name,
            video: VideoGrant::join(&room, role.grants),
            metadata: participant.metadata,
            attributes,
            room_config: participant.room_config,
        };
        let ttl = role.ttl.unwrap_or(participant.ttl);
        let token = token.sign(&secrets.api_key, now, ttl)?;
        if token.token.len() > self.participant.max_token_bytes {
            return Err(ExchangeError::TokenTooLarge);
        }
        let (name, role) = (name.to_owned(), role.name.clone());
        Ok(Issued { secrets: Arc::clone(secrets), token, expires: now + ttl, room, name, role })
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
}

impl Caller<'_> {
    /// What tells the caller from all others: the subject, and of several issuers which one's, as
    /// two issuers may give two people the same.
    #[must_use]
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

/// 128 random bits in 32 hex digits.
fn unguessable() -> Result<String, ExchangeError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| ExchangeError::Bug("no randomness"))?;
    Ok(hex::encode(bytes))
}

impl From<AuthenticateError> for ExchangeError {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Rejected(error) => error.into(),
            AuthenticateError::Unavailable(error) => error.into(),
            AuthenticateError::SharedSecretMissing => {
                Unavailable { upstream: secrets::UPSTREAM, retry_after: 30 }.into()
            }
        }
    }
}

impl From<ProfileError> for ExchangeError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Rejected(error) => error.into(),
            ProfileError::UserNotFound => Self::UserNotFound,
            ProfileError::Unavailable(error) => error.into(),
        }
    }
}

impl From<SignError> for ExchangeError {
    fn from(_: SignError) -> Self {
        Self::Bug("the participant's token could not be signed")
    }
}
