//! Test data of `tests/providers`: tokens of each identity provider with the expected response.

use std::collections::BTreeMap;
use std::fs;

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::keys::Key;
use super::tokens::{NOW, encode_part, merge};

/// A file of the folder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderFile {
    /// The provider's name and the heading of its section in the documentation.
    pub(crate) provider: String,
    /// The preset for this provider, a value of `OIDC_PROVIDER`.
    pub(crate) preset: String,
    /// Documentation and source code that the tokens are based on.
    pub(crate) sources: Vec<String>,
    pub(crate) deployments: Vec<Deployment>,
}

/// A configuration and the tokens that are sent to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    #[serde(rename = "deployment")]
    pub(crate) name: String,
    /// Environment variables. `{idp}` stands for the URL of a fake provider on the loopback.
    pub(crate) variables: BTreeMap<String, String>,
    /// Lines of `POLICY`. The default opens every room to every caller.
    #[serde(default)]
    pub(crate) policy: Vec<String>,
    /// Words of the configuration error. If there are any, the start must fail.
    #[serde(default)]
    pub(crate) fault: Vec<String>,
    #[serde(default)]
    pub(crate) keys: Keys,
    #[serde(default)]
    pub(crate) userinfo: Option<UserInfo>,
    /// Header of the valid token that each entry of `tokens` is derived from.
    #[serde(default)]
    pub(crate) header: Value,
    /// Payload of that token. A string such as `now+60` stands for a `NumericDate`.
    #[serde(default)]
    pub(crate) payload: Value,
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
}

/// The provider's key set.
#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keys {
    /// One key, with the `kid` of the deployment's header.
    #[default]
    Usual,
    /// No key set in the configuration.
    None,
    /// The shared secret `OIDC_HS256_SECRET`.
    Shared,
    /// Keys with these fields. The first one signs.
    #[serde(untagged)]
    Listed(Vec<Map<String, Value>>),
}

/// The response of the UserInfo endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserInfo {
    /// Claims in addition to the caller's `sub`, as JSON.
    Answer(Value),
    /// Claims as a signed JWT.
    Signed(Value),
    /// An error status.
    Status(u16),
}

/// A token, derived from the deployment's valid one, and the expected response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    #[serde(rename = "token")]
    pub(crate) name: String,
    /// The token verbatim. The fields below are unused then.
    #[serde(default)]
    raw: Option<String>,
    /// Changes to the header. JSON `null` removes a field.
    #[serde(default)]
    header: Option<Value>,
    /// The complete header.
    #[serde(default)]
    whole_header: Option<Value>,
    /// Changes to the payload. JSON `null` removes a field.
    #[serde(default)]
    payload: Option<Value>,
    /// The complete payload.
    #[serde(default)]
    whole_payload: Option<Value>,
    /// The signing key, if it is not the provider's.
    #[serde(default)]
    key: Option<Signer>,
    /// The request header that carries the token. Default: `Authorization`, as a bearer token.
    #[serde(default)]
    pub(crate) carried_in: Option<String>,
    /// The requested room.
    #[serde(default)]
    pub(crate) room: Option<String>,
    pub(crate) expected: Expected,
}

/// A signing key that is not the provider's.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Signer {
    /// A key that no key set contains.
    Unpublished,
}

/// The expected response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// The problem's `code`. Default: `invalid_token`.
    #[serde(default)]
    pub(crate) code: Option<String>,
    /// A word of the logged `reason`.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) identity: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) picture: Option<String>,
    #[serde(default)]
    pub(crate) role: Option<String>,
}

impl ProviderFile {
    /// Reads all files, sorted by name without extension.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/providers");
        let files = fs::read_dir(folder).expect("tests/providers").map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let file = serde_json::from_str(&text);
            (stem.clone(), file.unwrap_or_else(|error| panic!("{stem}.json: {error}")))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        files
    }
}

impl Deployment {
    /// Returns the key set for `OIDC_JWKS`, if the configuration has one.
    pub(crate) fn key_set(&self) -> Option<Value> {
        let usual = Map::from_iter([("kid".to_owned(), self.header["kid"].clone())]);
        let listed = match &self.keys {
            Keys::None | Keys::Shared => return None,
            Keys::Usual => vec![usual],
            Keys::Listed(listed) => listed.clone(),
        };
        let alg = self.header["alg"].as_str().unwrap_or_default();
        let publish = |(place, members): (usize, Map<String, Value>)| {
            let key = if place == 0 { key_of(alg) } else { Key::rsa_next() };
            merge(key.jwk(), &Value::Object(members))
        };
        let keys: Vec<_> = listed.into_iter().enumerate().map(publish).collect();
        Some(json!({ "keys": keys }))
    }

    /// Signs `token`. `idp` replaces `{idp}`.
    pub(crate) fn sign(&self, token: &Token, idp: &str) -> String {
        if let Some(raw) = &token.raw {
            return raw.clone();
        }
        let changed = |base: &Value, whole: Option<&Value>, change: Option<&Value>| match whole {
            Some(whole) => whole.clone(),
            None => change.map_or_else(|| base.clone(), |change| merge(base.clone(), change)),
        };
        let header =
            changed(&self.header, token.whole_header.as_ref(), token.header.as_ref()).to_string();
        let payload = changed(&self.payload, token.whole_payload.as_ref(), token.payload.as_ref());
        self.sign_as(token.key, &header, &filled_in(&payload, idp).to_string())
    }

    /// Signs `claims` with the provider's key and the deployment's header.
    pub(crate) fn sign_claims(&self, claims: &Value, idp: &str) -> String {
        self.sign_as(None, &self.header.to_string(), &filled_in(claims, idp).to_string())
    }

    fn sign_as(&self, signer: Option<Signer>, header: &str, payload: &str) -> String {
        let alg = self.header["alg"].as_str().unwrap_or_default();
        match (signer, &self.keys) {
            (Some(Signer::Unpublished), _) => Key::stranger().sign_text(header, payload),
            (None, Keys::Shared) => {
                let secret =
                    EncodingKey::from_secret(self.variables["OIDC_HS256_SECRET"].as_bytes())
                        .unwrap();
                let message = format!("{}.{}", encode_part(header), encode_part(payload));
                let signature =
                    crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap();
                format!("{message}.{signature}")
            }
            (None, _) => key_of(alg).sign_text(header, payload),
        }
    }
}

/// Returns the test key for an algorithm.
fn key_of(alg: &str) -> Key {
    match alg {
        "ES256" => Key::p256(),
        "ES384" => Key::p384(),
        "EdDSA" => Key::ed25519(),
        _ => Key::rsa(),
    }
}

/// Replaces times by numbers and `{idp}` by the provider's URL.
fn filled_in(value: &Value, idp: &str) -> Value {
    match value {
        Value::String(text) => {
            let offset = text.strip_prefix("now").and_then(|offset| offset.parse::<i64>().ok());
            match offset {
                Some(offset) => json!(NOW.saturating_add_signed(offset)),
                None => json!(text.replace("{idp}", idp)),
            }
        }
        Value::Array(items) => items.iter().map(|item| filled_in(item, idp)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), filled_in(member, idp)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
