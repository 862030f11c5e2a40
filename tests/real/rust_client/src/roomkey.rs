// roomkey.rs
use livekit_token_source::{
    TokenSourceConfigurable as _, TokenSourceError, TokenSourceFetchOptions, TokenSourceResponse,
    endpoint,
};

/// Fetches a token for `options`. `access_token` calls the identity provider's SDK. With `true`, it bypasses the SDK's
/// cache.
pub async fn fetch(
    url: &str,
    options: &TokenSourceFetchOptions,
    access_token: impl AsyncFn(bool) -> String,
) -> Result<TokenSourceResponse, TokenSourceError> {
    let send = async |renew| {
        let bearer = access_token(renew).await;
        // One source per fetch, because its headers are fixed at its creation.
        endpoint(url).with_header("Authorization", format!("Bearer {bearer}")).fetch(options).await
    };
    match send(false).await {
        Err(error) if code(&error) == "token_expired" => send(true).await,
        outcome => outcome,
    }
}

/// Returns the code of an error response of roomkey.
pub fn code(error: &TokenSourceError) -> String {
    let TokenSourceError::Server { body, .. } = error else { return "unavailable".into() };
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or("unavailable").into()
}
