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
use crate::livekit::token_source::server_url;
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// Handles `POST /v1/token` and `/v1/token/refresh`. The signature is verified first, over the
    /// body as it was received.
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
        let metadata_bytes = self.exchange().participant.limits.metadata_bytes;
        let request =
            BackendRequest::from_body(body, metadata_bytes).map_err(ExchangeError::from)?;
        record.room = Some(request.room.as_str().to_owned());
        record.subject = Some(secrets.api_key.pseudonym(request.identity.as_str()));
        let issued = self.exchange().issue_for_backend(&request, &secrets, self.now)?;
        record.set_issued(&issued);
        // In whole seconds, as in the token.
        let expires_at = DateTime::from_secs(DateTime::from(issued.expires).secs());
        let expires_at = expires_at.fmt(Format::DateTime);
        let response = BackendResponse {
            token: &issued.token.token,
            url: &server_url(&issued.secrets.livekit_url),
            expires_at: expires_at
                .map_err(|_| ExchangeError::Bug("the expiry could not be written as a date"))?,
        };
        Ok(HandlerResponse::serialized(StatusCode::OK, &response)?)
    }

    /// Returns the paths that a backend can have signed: that of its URL, with and without what a
    /// gateway removed or added, each with and without the query.
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
