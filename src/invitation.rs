//! Invitations: tokens by which people without an account enter one room with one role.
//!
//! An invitation is a JWT of roomkey's own, signed with a key of its own. Its `typ` tells it from access
//! tokens, whose verifier accepts no such `typ`. Without state, no process stores invitations.

pub mod request;

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json;
use crate::keys::invitation::InvitationKey;
use crate::lobby::Lobby;
use crate::text::Name;

/// The `typ` of invitations.
pub const TYPE: &str = "roomkey-invitation+jwt";

/// Maximum length of an invitation, in bytes: it is part of a link.
pub const TOKEN_BYTES: usize = 600;

/// Lifetimes of invitations, in seconds: one minute to seven days.
pub const SECONDS: RangeInclusive<u64> = 60..=604_800;

/// Maximum length of a guest's name, in bytes.
pub const NAME_BYTES: usize = 64;

/// The start of every identity of a guest. No identity of a person starts with it.
pub const IDENTITY_PREFIX: &str = "guest:";

/// `{"typ":"roomkey-invitation+jwt","alg":"HS256"}`
const HEADER: &str = "eyJ0eXAiOiJyb29ta2V5LWludml0YXRpb24rand0IiwiYWxnIjoiSFMyNTYifQ";

/// Length of the longest header that is searched for [`TYPE`], in bytes.
const HEADER_BYTES: usize = 255;

/// The content of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The unique name, `jti`, which may be logged.
    pub id: String,
    /// The room.
    pub room: Name,
    /// The name of the guests' role.
    pub role: String,
    /// The guest's name, if the guest does not choose it.
    pub name: Option<Name>,
    /// The waiting room.
    pub lobby: Option<Lobby>,
    /// The largest number of guests, if it is limited.
    pub uses: Option<u64>,
    /// The expiry, in seconds since 1970.
    pub expires_at: u64,
}

/// An invitation whose signature is not verified.
pub struct UnverifiedInvitation<'a> {
    signing_input: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// The reason why an invitation is not accepted. Contains nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Not three parts of base64url, or too long.
    #[error("the invitation is malformed")]
    Malformed,
    /// The header has other fields or values than those of invitations.
    #[error("the header of the invitation is not accepted")]
    Header,
    /// The deployment has no `INVITATION_SECRET`.
    #[error("an invitation was sent, and no INVITATION_SECRET is configured")]
    NotConfigured,
    /// The signature is of another key or another invitation.
    #[error("invalid signature of the invitation")]
    Signature,
    /// A claim is missing, unknown or invalid.
    #[error("the claims of the invitation are not accepted")]
    Claim,
    /// The invitation has a claim that only deployments with state can honor.
    #[error("the invitation needs STATE_TABLE")]
    NeedsState,
    /// The invitation has expired.
    #[error("the invitation expired")]
    Expired,
    /// The invitation was revoked.
    #[error("the invitation was revoked")]
    Revoked,
    /// As many other guests as the invitation allows have used it.
    #[error("the invitation is used up")]
    UsedUp,
    /// The policy has no such role any more, or the role moderates now.
    #[error("the policy does not allow the role of the invitation for guests")]
    Role,
    /// The invitation would be longer than [`TOKEN_BYTES`].
    #[error("the invitation would be longer than 600 bytes")]
    TooLong,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    exp: u64,
    room: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lobby: Option<Lobby>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
}

/// Whether the header of `token` names the type of invitations. Nothing else is checked.
///
/// Costs nothing for tokens longer than an invitation, as most access tokens are.
pub fn is_invitation(token: &str) -> bool {
    if token.len() > TOKEN_BYTES {
        return false;
    }
    let header = token.split('.').next().unwrap_or_default();
    let mut text = [0; HEADER_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(header, &mut text).unwrap_or_default();
    text[..length].windows(TYPE.len()).any(|part| part == TYPE.as_bytes())
}

impl Invitation {
    /// Signs the invitation with `key`.
    ///
    /// # Errors
    ///
    /// [`InvitationError::TooLong`] if the result would be longer than [`TOKEN_BYTES`].
    pub fn sign(&self, key: &InvitationKey) -> Result<String, InvitationError> {
        let name = self.name.as_ref().map(Name::as_str);
        let (jti, exp, room) = (&self.id, self.expires_at, self.room.as_str());
        let Self { role, lobby, uses, .. } = self;
        let claims = Claims { jti, exp, room, role, name, lobby: *lobby, uses: *uses };
        // Strings and numbers always serialize.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let mut token = format!("{HEADER}.");
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > TOKEN_BYTES { Err(InvitationError::TooLong) } else { Ok(token) }
    }

    /// Returns the identity of the guest whose browser keeps `secret`: the same for each request with
    /// this invitation, and not to be guessed or computed without the key.
    pub fn identity(&self, key: &InvitationKey, secret: &str) -> String {
        let tag = key.tag(b"roomkey guest", [&self.id, secret]);
        format!("{IDENTITY_PREFIX}{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16]))
    }
}

impl<'a> UnverifiedInvitation<'a> {
    /// Splits `token` and checks its header, which has no other fields than `typ` and `alg`. No key is
    /// needed.
    ///
    /// # Errors
    ///
    /// [`InvitationError::Malformed`] and [`InvitationError::Header`].
    pub fn read(token: &'a str) -> Result<Self, InvitationError> {
        if token.len() > TOKEN_BYTES {
            return Err(InvitationError::Malformed);
        }
        let (signing_input, signature) =
            token.rsplit_once('.').ok_or(InvitationError::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(InvitationError::Malformed)?;
        let header = object(header)?;
        let is =
            |field: &str, value: &str| header.get(field).and_then(Value::as_str) == Some(value);
        if payload.contains('.') {
            return Err(InvitationError::Malformed);
        }
        if header.len() != 2 || !is("alg", "HS256") || !is("typ", TYPE) {
            return Err(InvitationError::Header);
        }
        Ok(Self { signing_input, payload, signature })
    }

    /// Verifies the signature with `key`, then the claims as of `now`. The expiry has no leeway, since
    /// this deployment's clock set it.
    ///
    /// # Errors
    ///
    /// [`InvitationError`], the first of signature, claims and expiry.
    pub fn verify(
        &self,
        key: &InvitationKey,
        now: SystemTime,
    ) -> Result<Invitation, InvitationError> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature);
        let signature = signature.map_err(|_| InvitationError::Malformed)?;
        if !key.verifies(self.signing_input.as_bytes(), &signature) {
            return Err(InvitationError::Signature);
        }
        let invitation = invitation(object(self.payload)?)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if invitation.expires_at <= now {
            return Err(InvitationError::Expired);
        }
        // No deployment signs a longer one.
        if invitation.expires_at - now > *SECONDS.end() {
            return Err(InvitationError::Claim);
        }
        Ok(invitation)
    }
}

/// Reads the claims. An unknown claim may be a restriction that a later version signs, so it is not
/// ignored.
fn invitation(mut claims: Map<String, Value>) -> Result<Invitation, InvitationError> {
    let mut text = |claim: &str| match claims.remove(claim) {
        None => Ok(None),
        Some(Value::String(text)) => {
            Name::parse(text).map(Some).map_err(|_| InvitationError::Claim)
        }
        Some(_) => Err(InvitationError::Claim),
    };
    let (id, room, role, name) = (text("jti")?, text("room")?, text("role")?, text("name")?);
    let expires_at = claims.remove("exp").and_then(|exp| exp.as_u64());
    let (uses, lobby) = (claims.remove("uses"), claims.remove("lobby"));
    let uses = match uses.map(|uses| uses.as_u64()) {
        None => None,
        Some(Some(uses)) if uses > 0 => Some(uses),
        Some(_) => return Err(InvitationError::Claim),
    };
    let lobby = match lobby.map(|lobby| Lobby::parse(lobby.as_bool(), lobby.as_str())) {
        None => None,
        Some(Ok(Some(lobby))) => Some(lobby),
        Some(_) => return Err(InvitationError::Claim),
    };
    let (Some(id), Some(room), Some(role), Some(expires_at), true) =
        (id, room, role, expires_at, claims.is_empty())
    else {
        return Err(InvitationError::Claim);
    };
    if name.as_ref().is_some_and(|name| name.as_str().len() > NAME_BYTES) {
        return Err(InvitationError::Claim);
    }
    Ok(Invitation { id: id.into(), room, role: role.into(), name, lobby, uses, expires_at })
}

/// Parses a JSON object without duplicate fields from canonical base64url.
fn object(part: &str) -> Result<Map<String, Value>, InvitationError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvitationError::Malformed)?;
    json::parse_object(&text).map_err(|_| InvitationError::Malformed)
}
