//! `POST /v1/livekit-webhook`: events of LiveKit.

use http::StatusCode;
use http::header::AUTHORIZATION;

use super::context::RequestContext;
use super::response::HandlerResponse;
use crate::bearer::BearerError;
use crate::exchange::ExchangeError;
use crate::livekit::webhook::WebhookEvent;
use crate::logging::{Effect, RequestLog};

/// The maximum length of an event, in bytes. An event contains the participant's metadata and attributes,
/// which LiveKit limits to 64,000 bytes each.
const EVENT_BYTES: usize = 1 << 20;

impl RequestContext<'_> {
    /// Handles `POST /v1/livekit-webhook`. The signature is verified first, over the body as it was
    /// received.
    pub(super) async fn webhook(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without state there is nothing to do for an event.
        self.exchange().state()?;
        let token = self.webhook_token()?;
        let secrets = self.exchange().authenticate_livekit(token, self.body, self.now).await?;
        if self.body.len() > EVENT_BYTES {
            return Err(ExchangeError::EventTooLarge.into());
        }
        let event = WebhookEvent::from_body(self.body).map_err(ExchangeError::from)?;
        if let WebhookEvent::Joined { room, identity } = &event {
            record.room = Some(room.clone());
            record.target = Some(self.pseudonym(&secrets, identity));
        } else if let WebhookEvent::Finished { room, .. } = &event {
            record.room = Some(room.clone());
        }
        let has_ejected = self.exchange().handle_event(&event, &secrets, self.now).await?;
        record.effect = has_ejected.then_some(Effect::Ejected);
        Ok(HandlerResponse::json(StatusCode::OK, b"{}".to_vec()))
    }

    /// Returns the token in `Authorization`, which LiveKit sends without a scheme.
    fn webhook_token(&self) -> Result<&str, ExchangeError> {
        let mut values = self.parts.headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(BearerError::Missing)?;
        let value = value.to_str().ok().filter(|_| values.next().is_none());
        let value = value.ok_or(BearerError::Malformed)?.trim();
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Ok(value),
        }
    }
}
