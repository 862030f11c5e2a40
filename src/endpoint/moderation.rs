//! Mute and removal of participants by hosts and moderators.

use super::context::RequestContext;
use super::response::HandlerResponse;
use super::route::Route;
use crate::exchange::ModerationAction;
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// Handles `POST /v1/rooms/{room}/participants/{identity}/mute`, and `DELETE` without `/mute`.
    pub(super) async fn moderate(
        &self,
        route: Route,
        action: ModerationAction,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let target = self.target(route, record)?;
        record.target = Some(self.pseudonym(&caller.secrets, &target.identity));
        let role = self.exchange().moderate(&caller, action, &target, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(HandlerResponse::empty())
    }
}
