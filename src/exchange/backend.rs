//! A backend asks on somebody's behalf.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Exchange, ExchangeError, Issued, Participant};
use crate::backend::request::BackendRequest;
use crate::backend::{SignatureError, SignedRequest, verify};
use crate::participant::ParticipantError;
use crate::secrets::Secrets;

impl Exchange {
    /// Checks that `request` is a backend's, and new. Gives the secrets that served for it, to sign with.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Signature`], [`ExchangeError::Unavailable`], and
    /// [`ExchangeError::NotConfigured`] where no backend has a key.
    pub async fn authenticate_backend(
        &self,
        request: &SignedRequest<'_>,
        now: SystemTime,
    ) -> Result<Arc<Secrets>, ExchangeError> {
        let secrets = self.secrets.get(now).await?;
        match self.check(request, &secrets, now) {
            // A key that was added since: the secret is read once more, as seldom as it may be.
            Err(ExchangeError::Signature(SignatureError::UnknownKey)) => {
                let newer = self.secrets.refresh(now).await?;
                self.check(request, &newer, now).map(|()| newer)
            }
            outcome => outcome.map(|()| secrets),
        }
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

    /// Issues what a backend asks for. Whom it names is whom it means: no profile is looked up.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Refused`], [`ExchangeError::Participant`], [`ExchangeError::TokenTooLarge`] and
    /// [`ExchangeError::Bug`].
    pub fn issue_for_backend(
        &self,
        request: &BackendRequest,
        secrets: &Arc<Secrets>,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        if request.room_config.has_forbidden_field {
            let detail = "roomConfig holds a field that nobody may set";
            return Err(ParticipantError::FieldNotAllowed(detail).into());
        }
        let (role, room_config) =
            self.policy.decide_for_backend(&request.role, &request.room_config)?;
        self.sign_participant_token(
            Participant {
                person: &request.identity,
                identity: &request.identity,
                name: &request.name,
                picture: None,
                metadata: request.metadata.as_deref(),
                attributes: BTreeMap::new(),
                room: request.room.clone(),
                role,
                room_config,
                ttl: self.participant.backend_token_ttl,
            },
            secrets,
            now,
        )
    }
}
