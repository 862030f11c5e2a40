//! `POST /token` with an invitation in place of an access token.

use super::context::RequestContext;
use crate::bearer::UnverifiedBearer;
use crate::body::InvalidField;
use crate::exchange::{ExchangeError, GuestSecret, Issued};
use crate::logging::RequestLog;

/// The header with the secret that the guest's browser keeps.
const GUEST: &str = "x-roomkey-guest";

impl RequestContext<'_> {
    /// Issues a participant token for a guest.
    pub(super) async fn token_for_guest(
        &self,
        bearer: UnverifiedBearer<'_>,
        record: &mut RequestLog,
    ) -> Result<Issued, ExchangeError> {
        record.is_guest = true;
        let (invitation, secrets) = self.exchange().verify_invitation(bearer, self.now).await?;
        record.invitation = Some(invitation.id.clone());
        let secret = self.guest_secret()?;
        let guest = self.exchange().guest(invitation, secret, secrets, self.now)?;
        record.subject = Some(guest.secrets.api_key.pseudonym(&guest.identity));
        let request = self.token_request()?;
        record.room = Some(guest.invitation.room.as_str().to_owned());
        self.exchange().issue_for_guest(&guest, &request, self.now).await
    }

    /// Reads the one header with the guest's secret, if there is one.
    fn guest_secret(&self) -> Result<Option<GuestSecret<'_>>, ExchangeError> {
        let mut values = self.parts.headers.get_all(GUEST).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let value = value.to_str().ok().filter(|_| values.next().is_none());
        let secret = value.and_then(GuestSecret::parse).ok_or_else(|| {
            let reason = "must be one header of 22 to 64 characters A-Z a-z 0-9 _ -";
            InvalidField::new("X-Roomkey-Guest", reason)
        })?;
        Ok(Some(secret))
    }
}
