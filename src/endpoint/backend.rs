//! `POST /v1/token` and `POST /v1/token/refresh`: tokens for trusted backends.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::StatusCode;

use super::context::RequestContext;
use super::response::HandlerResponse;
use super::route::{OriginalPath, Route};
use crate::backend::SignedRequest;
use crate::backend::request::{BackendRequest, BackendResponse};
use crate::exchange::ExchangeError;
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// `POST /v1/token` and `/v1/token/refresh`. The signature comes first, over the body as it came.
    pub(super) async fn backend_token(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let request = SignedRequest {
            headers: &self.parts.headers,
            method: self.parts.method.as_str(),
            paths: &self.signed_paths(route),
            body: self.body,
        };
        let secrets = self.exchange().authenticate_backend(&request, self.now).await?;
        let body = self.json_body()?;
        let request = BackendRequest::from_body(body).map_err(ExchangeError::Malformed)?;
        record.room = Some(request.room.clone());
        record.subject = Some(secrets.api_key.pseudonym(&request.identity));
        let issued = self.exchange().issue_for_backend(&request, &secrets, self.now)?;
        record.set_issued(&issued);
        // In whole seconds, as the token has it.
        let expires_at = DateTime::from_secs(DateTime::from(issued.expires).secs());
        let expires_at = expires_at.fmt(Format::DateTime);
        let answer = BackendResponse {
            token: &issued.token.token,
            url: &issued.secrets.livekit_url,
            // The clock is not that of a year without a date.
            expires_at: expires_at.unwrap_or_default(),
        };
        // Three texts are always JSON.
        Ok(HandlerResponse::json(StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default()))
    }

    /// What a backend may have signed as its path: that of its URL, with what a gateway took away and
    /// without what it put in front, and the query or not.
    fn signed_paths(&self, route: Route) -> Vec<String> {
        let called = self.parts.extensions.get::<OriginalPath>().map(|called| called.0.clone());
        let mut paths = vec![route.path().to_owned(), self.parts.uri.path().to_owned()];
        paths.extend(called);
        if let Some(query) = self.parts.uri.query() {
            let with_query: Vec<_> = paths.iter().map(|path| format!("{path}?{query}")).collect();
            paths.extend(with_query);
        }
        paths
    }
}
