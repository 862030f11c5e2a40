// roomkey.rs
use livekit_token_source::{
    TokenSourceConfigurable as _, TokenSourceError, TokenSourceFetchOptions, TokenSourceResponse,
    endpoint,
};

/// A token for `options`. `access_token` asks the identity provider; with `true`, past its cache.
pub async fn fetch(
    url: &str,
    options: &TokenSourceFetchOptions,
    access_token: impl AsyncFn(bool) -> String,
) -> Result<TokenSourceResponse, TokenSourceError> {
    let ask = async |renew| {
        let bearer = access_token(renew).await;
        // A source for each fetch: its headers are fixed when it is made.
        endpoint(url).with_header("Authorization", format!("Bearer {bearer}")).fetch(options).await
    };
    match ask(false).await {
        Err(error) if code(&error) == "token_expired" => ask(true).await,
        outcome => outcome,
    }
}

/// The code of roomkey's answer in place of a token.
pub fn code(error: &TokenSourceError) -> String {
    let TokenSourceError::Server { body, .. } = error else { return "unavailable".into() };
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or("unavailable").into()
}
