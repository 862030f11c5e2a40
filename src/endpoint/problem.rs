//! Problem documents ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): the errors that clients see.

use std::borrow::Cow;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::backend::SignatureError;
use crate::bearer::BearerError;
use crate::exchange::ExchangeError;
use crate::invitation::InvitationError;
use crate::oidc::error::VerifyError;
use crate::participant::ParticipantError;
use crate::policy::Refusal;
use crate::request_scope;

/// The page with a section for each `code`.
const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/problems.md#");

/// Bounds of `Retry-After`, in seconds.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// The time after which a person who waits asks again, in seconds.
const WAIT_SECONDS: u64 = 3;

/// The time after which a person asks again for whom the waiting room is full, in seconds.
const FULL_SECONDS: u64 = 30;

/// An error as a client sees it.
///
/// Titles are fixed. Details are made of fixed text, names of fields and configured numbers: nothing
/// that a client or an upstream sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The anchor in `docs/problems.md`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    title: &'static str,
    detail: Option<Cow<'static, str>>,
    /// The header that the status requires.
    extra: Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    None,
    /// `WWW-Authenticate` of a 401
    /// ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
    Challenge(&'static str),
    /// `Allow` of a 405.
    Allow(&'static str),
    /// `Retry-After` of a 429 or 503, and of a 403 for a person who waits, in seconds.
    RetryAfter(u64),
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The request ID, by which an operator finds the log line.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

/// The prefix of the request ID in `instance`.
const INSTANCE: &str = "urn:roomkey:request:";

/// Returns the request ID as a URI, unless it contains characters that are not valid in one
/// ([RFC 3986 §3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)). IDs of gateways contain none.
fn instance() -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~=+:@!$&'()*,;/".contains(&byte);
    let ids = request_scope::ids()?;
    let id = ids.request.as_deref().filter(|id| !id.is_empty() && id.bytes().all(is_plain))?;
    Some(format!("{INSTANCE}{id}"))
}

impl Problem {
    /// The event or the body cannot be read.
    pub fn invalid_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", StatusCode::BAD_REQUEST, "The request is malformed")
            .with_detail(detail)
    }

    /// The route does not exist.
    pub fn not_found() -> Self {
        Self::new("not_found", StatusCode::NOT_FOUND, "Not found")
    }

    /// The route has other methods, which `allow` lists.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let title = "The method is not allowed";
        Self {
            extra: Extra::Allow(allow),
            ..Self::new("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, title)
        }
    }

    fn content_too_large(detail: &'static str) -> Self {
        Self::new("content_too_large", StatusCode::PAYLOAD_TOO_LARGE, "The content is too large")
            .with_detail(detail)
    }

    fn too_many_requests(retry_after: u64) -> Self {
        let title = "Too many requests, try again later";
        Self {
            extra: Extra::RetryAfter(retry_after),
            ..Self::new("too_many_requests", StatusCode::TOO_MANY_REQUESTS, title)
        }
        .with_detail("wait for Retry-After, and reuse a token until shortly before it expires")
    }

    /// An upstream is unavailable. `retry_after` is clamped to 1–30 seconds.
    pub fn unavailable(retry_after: u64) -> Self {
        let title = "Temporarily unavailable, try again shortly";
        Self {
            extra: Extra::RetryAfter(
                retry_after.clamp(*RETRY_AFTER_SECONDS.start(), *RETRY_AFTER_SECONDS.end()),
            ),
            ..Self::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, title)
        }
    }

    /// A bug in roomkey.
    pub fn internal() -> Self {
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
    }

    /// Returns the document as a response to the current request of
    /// [`request_scope`](crate::request_scope).
    pub fn response(&self) -> Response<Vec<u8>> {
        let document = Document {
            kind: format!("{PAGE}{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.as_deref(),
            instance: instance(),
        };
        // Strings and numbers always serialize.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.extra {
            Extra::None => {}
            Extra::Challenge(challenge) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Extra::Allow(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Extra::RetryAfter(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
        response
    }

    fn new(code: &'static str, status: StatusCode, title: &'static str) -> Self {
        Self { code, status, title, detail: None, extra: Extra::None }
    }

    fn unauthorized(code: &'static str, title: &'static str, challenge: &'static str) -> Self {
        Self {
            extra: Extra::Challenge(challenge),
            ..Self::new(code, StatusCode::UNAUTHORIZED, title)
        }
    }

    fn forbidden(code: &'static str, title: &'static str) -> Self {
        Self::new(code, StatusCode::FORBIDDEN, title)
    }

    fn unsupported_media_type(detail: &'static str) -> Self {
        let title = "The body must be application/json";
        Self::new("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, title)
            .with_detail(detail)
    }

    fn field_not_allowed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::forbidden("field_not_allowed", "A field is not allowed").with_detail(detail)
    }

    fn invalid_token() -> Self {
        let challenge = r#"Bearer realm="roomkey", error="invalid_token""#;
        Self::unauthorized("invalid_token", "The bearer token is not valid", challenge)
    }

    fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// The only mapping from errors to statuses. It has no `_` arm, so that a new error does not compile
/// without a decision.
impl From<&ExchangeError> for Problem {
    fn from(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::Bearer(BearerError::Missing) => Self::unauthorized(
                "missing_token",
                "A bearer token is required",
                r#"Bearer realm="roomkey""#,
            ),
            ExchangeError::Origin => {
                Self::forbidden("origin_not_allowed", "The origin is not allowed")
            }
            // A code of its own, since a client can act: refresh the access token and try again.
            ExchangeError::Rejected(VerifyError::Expired) => Self::unauthorized(
                "token_expired",
                "The bearer token expired",
                r#"Bearer realm="roomkey", error="invalid_token", error_description="The access token expired""#,
            ),
            ExchangeError::Invitation(error) => Self::from(error),
            ExchangeError::Participant(ParticipantError::ReservedIdentity) => Self::invalid_token()
                .with_detail("the identity of a person must not start with guest:"),
            // The identity is made of the token's subject, which no provider makes that long (OIDC Core §2).
            ExchangeError::Bearer(BearerError::Malformed)
            | ExchangeError::Rejected(_)
            | ExchangeError::Webhook(_)
            | ExchangeError::Participant(ParticipantError::IdentityTooLong) => {
                Self::invalid_token()
            }
            ExchangeError::BodyTooLarge => Self::content_too_large("the body may have 65536 bytes"),
            ExchangeError::EventTooLarge => {
                Self::content_too_large("the body may have 1048576 bytes")
            }
            ExchangeError::MediaType(detail) => Self::unsupported_media_type(detail),
            ExchangeError::Invalid(invalid)
            | ExchangeError::Participant(ParticipantError::InvalidName(invalid)) => {
                Self::invalid_request(invalid.to_string())
            }
            ExchangeError::Participant(ParticipantError::FieldNotAllowed(detail)) => {
                Self::field_not_allowed(detail.clone())
            }
            ExchangeError::Refused(Refusal::RoomConfig(detail)) => Self::field_not_allowed(*detail),
            // One document for both, so that nobody learns whether a room exists in the app.
            ExchangeError::Refused(Refusal::Room | Refusal::AskUrl)
            | ExchangeError::RefusedByApp(_) => {
                Self::forbidden("room_not_allowed", "The room is not allowed")
            }
            ExchangeError::Refused(Refusal::Agent(reason)) => {
                Self::forbidden("agent_not_allowed", "The agent is not allowed")
                    .with_detail(reason.detail())
            }
            ExchangeError::Participant(ParticipantError::EmailNotVerified) => {
                Self::forbidden("email_not_verified", "The email address is not verified")
            }
            ExchangeError::Refused(Refusal::Moderation | Refusal::Invitation) => {
                Self::forbidden("role_not_allowed", "The role does not allow it")
            }
            ExchangeError::Refused(Refusal::Role) => {
                Self::invalid_request("role must be a role of the policy")
            }
            ExchangeError::Signature(error) => Self::from(error),
            ExchangeError::Banned => {
                Self::forbidden("banned", "The person is banned from the room")
            }
            ExchangeError::AwaitingAdmission { .. } => Self {
                extra: Extra::RetryAfter(WAIT_SECONDS),
                ..Self::forbidden("awaiting_admission", "A host must admit you first")
            },
            ExchangeError::EntryDenied => {
                Self::forbidden("entry_denied", "A host refused the entry")
            }
            ExchangeError::WaitingRoomFull => Self {
                detail: Some("too many people wait for the room: try again later".into()),
                ..Self::too_many_requests(FULL_SECONDS)
            },
            ExchangeError::InvitationNotFound => {
                Self::not_found().with_detail("the room has no such invitation")
            }
            ExchangeError::NotConfigured(_) => Self::not_found(),
            ExchangeError::ParticipantNotFound => Self::new(
                "participant_not_found",
                StatusCode::NOT_FOUND,
                "No such participant in the room",
            ),
            ExchangeError::HandNotRaised => Self::new(
                "hand_not_raised",
                StatusCode::CONFLICT,
                "The participant has not raised a hand",
            ),
            ExchangeError::UserNotFound => {
                Self::new("user_not_found", StatusCode::NOT_FOUND, "User not found")
            }
            ExchangeError::Participant(ParticipantError::EmailNotSet) => {
                Self::new("email_not_set", StatusCode::NOT_FOUND, "Email address not set")
            }
            ExchangeError::TokenTooLarge => Self::content_too_large(
                "the participant token would be too long: send less metadata and fewer attributes",
            ),
            ExchangeError::TooManyRequests(limit) => Self::too_many_requests(limit.retry_after),
            ExchangeError::Unavailable(unavailable) => Self::unavailable(unavailable.retry_after),
            ExchangeError::Bug(_) => Self::internal(),
        }
    }
}

impl From<&SignatureError> for Problem {
    fn from(error: &SignatureError) -> Self {
        Self::unauthorized(
            "invalid_signature",
            "Unauthorized",
            r#"RTCstack-HMAC-SHA256 realm="roomkey""#,
        )
        .with_detail(match error {
            SignatureError::Key | SignatureError::UnknownKey => {
                "Missing or invalid X-Api-Key header"
            }
            SignatureError::Header => "Missing X-RTCstack-Timestamp or X-RTCstack-Signature header",
            SignatureError::Timestamp => {
                "Request timestamp too old or too far in the future (replay protection)"
            }
            SignatureError::Signature => "Invalid X-RTCstack-Signature",
            SignatureError::Replayed => "Request was received before (replay protection)",
        })
    }
}

impl From<&InvitationError> for Problem {
    fn from(error: &InvitationError) -> Self {
        match error {
            // A code of its own, since the guest can act: ask for another link.
            InvitationError::Expired => Self::unauthorized(
                "invitation_expired",
                "The invitation expired",
                r#"Bearer realm="roomkey", error="invalid_token", error_description="The invitation expired""#,
            ),
            InvitationError::Revoked => {
                Self::forbidden("invitation_revoked", "The invitation was revoked")
            }
            InvitationError::UsedUp => {
                Self::forbidden("invitation_used_up", "The invitation is used up")
            }
            InvitationError::Role => {
                Self::forbidden("role_not_allowed", "The role does not allow it")
                    .with_detail("the role of the invitation is not available to guests any more")
            }
            InvitationError::Malformed
            | InvitationError::Header
            | InvitationError::NotConfigured
            | InvitationError::Signature
            | InvitationError::Claim
            | InvitationError::NeedsState
            | InvitationError::TooLong => Self::invalid_token(),
        }
    }
}
