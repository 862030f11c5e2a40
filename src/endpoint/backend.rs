//! `POST /v1/token` and `POST /v1/token/refresh`: tokens for trusted backends.

use std::sync::Arc;

use http::StatusCode;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::{OriginalPath, Route};
use crate::backend::SignedRequest;
use crate::backend::request::{BackendRequest, BackendResponse};
use crate::exchange::ExchangeError;
use crate::livekit::token_source::server_url;
use crate::logging::RequestLog;
use crate::secrets::Secrets;
use crate::time::seconds;

impl RequestContext<'_> {
    /// Handles `POST /v1/token` and `/v1/token/refresh`. The signature is verified first, over the
    /// body as it was received.
    pub(super) async fn backend_token(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let secrets = self.backend(route).await?;
        let body = self.json_body()?;
        let metadata_bytes = self.exchange().participant.limits.metadata_bytes;
        let request =
            BackendRequest::from_body(body, metadata_bytes).map_err(ExchangeError::from)?;
        record.room = Some(request.room.as_str().to_owned());
        record.subject = Some(secrets.api_key.pseudonym(request.identity.as_str()));
        let issued = self.exchange().issue_for_backend(&request, &secrets, self.now).await?;
        record.set_issued(&issued);
        let response = BackendResponse {
            token: &issued.token.token,
            url: &server_url(&issued.secrets.livekit_url),
            // In whole seconds, as in the token.
            expires_at: date_time(seconds(issued.expires))?,
        };
        Ok(HandlerResponse::serialized(StatusCode::OK, &response)?)
    }

    /// Checks that a backend signed the request, and returns the secrets that verified it.
    pub(super) async fn backend(&self, route: Route) -> Result<Arc<Secrets>, ExchangeError> {
        let request = SignedRequest {
            headers: &self.parts.headers,
            method: self.parts.method.as_str(),
            paths: &self.signed_paths(route),
            body: self.body,
        };
        self.exchange().authenticate_backend(&request, self.now).await
    }

    /// Returns the paths that a backend can have signed: that of its URL, with and without what a
    /// gateway removed or added, each with and without the query.
    fn signed_paths(&self, route: Route) -> Vec<String> {
        let called = self.parts.extensions.get::<OriginalPath>().map(|called| called.0.clone());
        let path = self.parts.uri.path();
        // The route itself has names in braces: its segments are the last ones of the path.
        let slashes = route.path().matches('/').count();
        let start = path.rmatch_indices('/').nth(slashes.saturating_sub(1));
        let own = start.map_or(path, |(start, _)| &path[start..]);
        let mut paths = vec![own.to_owned(), path.to_owned()];
        paths.extend(called);
        if let Some(query) = self.parts.uri.query() {
            let with_query: Vec<_> = paths.iter().map(|path| format!("{path}?{query}")).collect();
            paths.extend(with_query);
        }
        paths
    }
}
