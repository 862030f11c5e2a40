//! Mute and removal of participants by hosts and moderators.

use super::context::Hall;
use super::response::Answer;
use super::route;
use crate::exchange::{ExchangeError, Measure};
use crate::logging::Record;

impl Hall<'_> {
    /// `POST /v1/rooms/{room}/participants/{identity}/mute` and `DELETE` without `/mute`.
    pub(super) async fn moderate(
        &self,
        measure: Measure,
        record: &mut Record,
    ) -> Result<Answer, Answer> {
        let caller = self.caller(record).await?;
        let target =
            route::participant_ref(self.parts.uri.path()).ok_or(ExchangeError::Malformed(
                "the room and the identity must be names, each percent-encoded once",
            ))?;
        record.room = Some(target.room.clone());
        let role = self.exchange().moderate(&caller, measure, &target, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(Answer::empty())
    }
}
