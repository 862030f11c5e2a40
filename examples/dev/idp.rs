//! A small OpenID Connect provider: discovery, a key set, access tokens and UserInfo.
//!
//! roomkey sends requests to it over the network, as to any other provider. Only the sign-in is
//! simplified: `POST /login` with the ID of a person replaces a browser redirect and a password.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const ADDRESS: &str = "127.0.0.1:3001";
pub(crate) const ISSUER: &str = "http://127.0.0.1:3001";
pub(crate) const AUDIENCE: &str = "roomkey-dev";
/// Default lifetime of an access token in seconds.
pub(crate) const LIFETIME: i64 = 3_600;

/// Example person.
pub(crate) struct Person {
    id: &'static str,
    /// Name in the page and in the printed requests.
    pub(crate) label: &'static str,
    /// Response of the token endpoint.
    pub(crate) outcome: &'static str,
    email: Option<&'static str>,
    name: Option<&'static str>,
    picture: Option<&'static str>,
    /// Role in the organization `acme`, for the rules of a policy.
    role: Option<&'static str>,
}

/// Two people with a complete profile, one without a name, and one without an email address.
pub(crate) const PEOPLE: [Person; 4] = [
    Person {
        id: "ada",
        label: "Ada Lovelace, admin of acme",
        outcome: "201, host, with name and picture",
        email: Some("ada@example.com"),
        name: Some("Ada Lovelace"),
        picture: Some("http://127.0.0.1:3001/ada.svg"),
        role: Some("org:admin"),
    },
    Person {
        id: "grace",
        label: "Grace Hopper, member of acme",
        outcome: "201, participant, with a name",
        email: Some("grace@example.com"),
        name: Some("Grace Hopper"),
        picture: None,
        role: Some("org:member"),
    },
    Person {
        id: "nemo",
        label: "Nemo, who has no name",
        outcome: "201, viewer, as Unnamed User",
        email: Some("nemo@example.com"),
        name: None,
        picture: None,
        role: None,
    },
    Person {
        id: "emmy",
        label: "Emmy Noether, who has no email address",
        outcome: "404, email_not_set",
        email: None,
        name: Some("Emmy Noether"),
        picture: None,
        role: None,
    },
];

impl Person {
    /// Returns the opaque `sub`.
    fn subject(&self) -> String {
        format!("user_{}", self.id)
    }

    /// Returns the claims of UserInfo, which access tokens do not contain.
    fn user_info(&self) -> Value {
        let mut claims = json!({ "sub": self.subject() });
        if let Some(email) = self.email {
            claims["email"] = email.into();
            claims["email_verified"] = true.into();
        }
        if let Some(name) = self.name {
            claims["name"] = name.into();
        }
        if let Some(picture) = self.picture {
            claims["picture"] = picture.into();
        }
        claims
    }
}

/// Identity provider with a key pair that is created at every start.
pub(crate) struct IdentityProvider {
    signing: EncodingKey,
    verifying: DecodingKey,
    key_id: String,
    key_set: Value,
}

impl IdentityProvider {
    pub(crate) fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // The byte 04, then x and y.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key_id = format!("dev-{}", &x[..8]);
        Ok(Self {
            signing: EncodingKey::from_ec_der(pair.to_pkcs8v1()?.as_ref()),
            verifying: DecodingKey::from_ec_components(&x, &y)?,
            key_set: json!({ "keys": [{
                "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": key_id, "alg": "ES256", "use": "sig",
            }] }),
            key_id,
        })
    }

    /// Signs an access token with a lifetime in seconds. A negative one results in an expired token.
    pub(crate) fn access_token(
        &self,
        person: &Person,
        now: SystemTime,
        lifetime: i64,
    ) -> Result<String, Box<dyn std::error::Error>> {
        let now = i64::try_from(now.duration_since(UNIX_EPOCH)?.as_secs())?;
        let mut claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person.subject(),
            "client_id": "dev-page",
            "scope": "openid profile email",
            "iat": now + lifetime.min(0),
            "exp": now + lifetime,
        });
        if let Some(role) = person.role {
            claims["org_id"] = "acme".into();
            claims["org_role"] = role.into();
        }
        let header = Header {
            typ: Some("at+jwt".into()),
            kid: Some(self.key_id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        Ok(jsonwebtoken::encode(&header, &claims, &self.signing)?)
    }

    /// Returns the person whose access token is in `headers`.
    fn bearer(&self, headers: &HeaderMap) -> Option<&'static Person> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let mut checks = Validation::new(Algorithm::ES256);
        checks.set_audience(&[AUDIENCE]);
        checks.set_issuer(&[ISSUER]);
        checks.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        let claims = jsonwebtoken::decode::<Value>(token, &self.verifying, &checks).ok()?.claims;
        PEOPLE.iter().find(|person| claims["sub"] == person.subject())
    }
}

pub(crate) fn router(provider: Arc<IdentityProvider>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks.json", get(key_set))
        .route("/userinfo", get(user_info).post(user_info))
        .route("/people", get(people))
        .route("/login", post(login))
        .route("/ada.svg", get(picture))
        .layer(from_fn(for_any_origin))
        .with_state(provider)
}

async fn discovery() -> Json<Value> {
    Json(json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{ISSUER}/jwks.json"),
        "userinfo_endpoint": format!("{ISSUER}/userinfo"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn key_set(State(provider): State<Arc<IdentityProvider>>) -> Json<Value> {
    Json(provider.key_set.clone())
}

async fn user_info(State(provider): State<Arc<IdentityProvider>>, headers: HeaderMap) -> Response {
    if let Some(person) = provider.bearer(&headers) {
        return Json(person.user_info()).into_response();
    }
    let challenge = [(header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}

async fn people() -> Json<Vec<Value>> {
    let entry = |person: &Person| json!({ "id": person.id, "label": person.label, "outcome": person.outcome });
    Json(PEOPLE.iter().map(entry).collect())
}

#[derive(Deserialize)]
struct Login {
    person: String,
    expires_in: Option<i64>,
}

/// Exchanges `{"person":"ada"}` for `{"access_token", "token_type", "expires_in"}`. A request can set a
/// shorter `expires_in`, or a negative one for an expired token.
async fn login(
    State(provider): State<Arc<IdentityProvider>>,
    Json(login): Json<Login>,
) -> Response {
    let Some(person) = PEOPLE.iter().find(|person| person.id == login.person) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "no such person" })))
            .into_response();
    };
    let lifetime = login.expires_in.unwrap_or(LIFETIME).clamp(-LIFETIME, LIFETIME);
    match provider.access_token(person, crate::now(), lifetime) {
        Ok(token) => Json(json!({
            "access_token": token, "token_type": "Bearer", "expires_in": lifetime,
        }))
        .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn picture() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("ada.svg"))
}

/// Allows requests from any origin, because the page and frontends have other origins.
async fn for_any_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let any = HeaderValue::from_static("*");
    let allowed = HeaderValue::from_static("Authorization, Content-Type");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    response
}
