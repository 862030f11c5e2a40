//! The reasons why a use case fails, from all modules below it.

use crate::ask::{AskError, AskRefusal};
use crate::backend::SignatureError;
use crate::bearer::BearerError;
use crate::body::InvalidField;
use crate::invitation::InvitationError;
use crate::livekit::access_token::SignError;
use crate::livekit::webhook::WebhookError;
use crate::oidc::error::VerifyError;
use crate::oidc::issuer::AuthenticateError;
use crate::participant::ParticipantError;
use crate::policy::Refusal;
use crate::profile::ProfileError;
use crate::rate_limit::LimitReached;
use crate::secrets;
use crate::upstream::error::Unavailable;

/// The reason why a request failed. `Display` is for the operator's log and quotes nothing that a
/// client or an upstream sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The request has no access token that can be read.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The access token is in a session cookie, which browsers send by themselves, and the origin is
    /// not listed.
    #[error("a session cookie from an origin that ALLOWED_ORIGINS does not list")]
    Origin,
    /// The invitation was rejected.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// The access token was rejected.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The body is longer than any request.
    #[error("the body is too long")]
    BodyTooLarge,
    /// The body is longer than any event of LiveKit.
    #[error("the event is too long")]
    EventTooLarge,
    /// The body has another media type than JSON, or is compressed.
    #[error("{0}")]
    MediaType(&'static str),
    /// The body, the query or the path is invalid.
    #[error("invalid request: {0}")]
    Invalid(#[from] InvalidField),
    /// The request sets a field that the client may not set, or the caller has no identity.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
    /// The policy refuses the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The app refuses the caller.
    #[error(transparent)]
    RefusedByApp(AskRefusal),
    /// The request is not signed by a known backend.
    #[error("{0}")]
    Signature(SignatureError),
    /// The event is not signed by LiveKit.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The person is banned from the room, or from all rooms.
    #[error("the person is banned")]
    Banned,
    /// The person waits until a host admits them.
    #[error("the person awaits admission")]
    AwaitingAdmission {
        /// Whether the wait starts with this request.
        is_new: bool,
    },
    /// A host refused the person's entry.
    #[error("a host refused the entry")]
    EntryDenied,
    /// Too many people wait for the room.
    #[error("100 others wait for the room")]
    WaitingRoomFull,
    /// The room has no such invitation.
    #[error("no such invitation to the room")]
    InvitationNotFound,
    /// The deployment has no key for the request.
    #[error("no {0} is configured")]
    NotConfigured(&'static str),
    /// The room has no such participant.
    #[error("no such participant in the room")]
    ParticipantNotFound,
    /// The role is given only to participants with a raised hand.
    #[error("the participant has not raised a hand")]
    HandNotRaised,
    /// The issuer has no such user.
    #[error("the issuer has no such user")]
    UserNotFound,
    /// The participant token would be longer than it may be.
    #[error("the participant token would be longer than MAX_TOKEN_BYTES")]
    TokenTooLarge,
    /// The caller requests more tokens than they may.
    #[error(transparent)]
    TooManyRequests(#[from] LimitReached),
    /// An upstream that is needed cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A bug in roomkey.
    #[error("{0}")]
    Bug(&'static str),
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
        Self::Bug("the participant token could not be signed")
    }
}

impl From<AskError> for ExchangeError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => Self::RefusedByApp(refusal),
            AskError::Unavailable(error) => error.into(),
        }
    }
}
