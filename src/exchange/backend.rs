//! Participant tokens for backends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Exchange, ExchangeError, Issued, Participant};
use crate::backend::request::BackendRequest;
use crate::backend::{SignatureError, SignedRequest, verify};
use crate::participant::check_forbidden_field;
use crate::secrets::Secrets;

impl Exchange {
    /// Checks that a backend signed `request` and has not sent it before. Returns the secrets that
    /// verified it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Signature`] if it is not signed correctly, or replayed.
    /// - [`ExchangeError::NotConfigured`] if no backend has a key.
    /// - [`ExchangeError::Unavailable`] if the secret cannot be fetched.
    pub async fn authenticate_backend(
        &self,
        request: &SignedRequest<'_>,
        now: SystemTime,
    ) -> Result<Arc<Secrets>, ExchangeError> {
        let check = |secrets: &Secrets| self.check(request, secrets, now);
        let is_unknown_key = |error: &ExchangeError| {
            matches!(error, ExchangeError::Signature(SignatureError::UnknownKey))
        };
        Ok(self.verified_with_secrets(check, is_unknown_key, now).await?.1)
    }

    fn check(
        &self,
        request: &SignedRequest<'_>,
        secrets: &Secrets,
        now: SystemTime,
    ) -> Result<(), ExchangeError> {
        let keys = secrets.backend_keys.as_ref();
        let keys = keys.ok_or(ExchangeError::NotConfigured("BACKEND_API_KEYS"))?;
        verify(request, keys, &self.replays, now).map_err(ExchangeError::Signature)
    }

    /// Issues the participant token that a backend asks for. The backend names the participant: no
    /// profile is looked up.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy has no such role, or does not allow an agent or a
    ///   field of the room.
    /// - [`ExchangeError::Participant`] for a field that no policy can allow.
    /// - [`ExchangeError::Banned`] if the participant is, and [`ExchangeError::Unavailable`] if that
    ///   cannot be read.
    /// - [`ExchangeError::TokenTooLarge`] and [`ExchangeError::Bug`].
    pub async fn issue_for_backend(
        &self,
        request: &BackendRequest,
        secrets: &Arc<Secrets>,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        check_forbidden_field(&request.room_config)?;
        let (role, room_config) =
            self.policy.decide_for_backend(request.role.as_str(), &request.room_config)?;
        let (room, identity) = (request.room.as_str(), request.identity.as_str());
        let person = self.participant.person_of(identity);
        // A backend names the role itself.
        self.state_unless_banned(None, Some(room), &person, now).await?;
        self.sign_participant_token(
            Participant {
                person: identity,
                identity,
                name: request.name.clone().into(),
                picture: None,
                metadata: request.metadata.as_deref(),
                attributes: BTreeMap::new(),
                room: request.room.clone(),
                role,
                room_config,
                ttl: role.ttl.unwrap_or(self.participant.backend_token_ttl),
            },
            secrets,
            now,
        )
    }
}
