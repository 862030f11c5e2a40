//! LiveKit's standard token endpoint for any OpenID Connect provider.
//!
//! A request carries an access token of the app's identity provider and, optionally, a room. An
//! [`App`] verifies the token, decides by the [`Policy`] and returns a participant token for LiveKit.
//! The binary `bootstrap` serves an `App` as an AWS Lambda function, by [`lambda::run`].
//!
//! # In another HTTP server
//!
//! [`App::handle`] accepts and returns types of the crate [`http`], so that every HTTP server can embed
//! it. A complete program with axum:
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::SystemTime;
//!
//! use axum::body::{Body, to_bytes};
//! use axum::extract::{Request, State};
//! use axum::http::StatusCode;
//! use axum::response::{IntoResponse, Response};
//! use roomkey::{App, Config};
//!
//! async fn token(State(app): State<Arc<App>>, request: Request) -> Response {
//!     let (head, body) = request.into_parts();
//!     let Ok(body) = to_bytes(body, 65_536).await else {
//!         return StatusCode::PAYLOAD_TOO_LARGE.into_response();
//!     };
//!     app.handle(Request::from_parts(head, body), SystemTime::now()).await.map(Body::from)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = Config::from_lookup(|variable| std::env::var(variable).ok())?;
//!     roomkey::logging::init(config.log_level, SystemTime::now, None);
//!     let app = Arc::new(App::new(config));
//!     app.warm_up(SystemTime::now()).await;
//!     let router = axum::Router::new().fallback(token).with_state(app);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, router).await?)
//! }
//! ```
//!
//! # Configuration
//!
//! [`Config::from_lookup`] reads the variables that `docs/configuration.md` lists. An error lists all
//! faults, and never a value:
//!
//! ```
//! use roomkey::Config;
//!
//! let variable = |name: &str| match name {
//!     "OIDC_ISSUER" => Some("https://tenant.eu.auth0.com/".to_owned()),
//!     "TOKEN_TTL_SECONDS" => Some("60".to_owned()),
//!     _ => None,
//! };
//! let error = Config::from_lookup(variable).err().unwrap().to_string();
//! for fault in [
//!     "OIDC_AUDIENCE must be set",
//!     "LIVEKIT_URL is not set",
//!     "TOKEN_TTL_SECONDS must be a whole number of seconds from 61 to 86400",
//! ] {
//!     assert!(error.contains(fault), "{error}");
//! }
//! ```
//!
//! # Features
//!
//! All are enabled by default. An HTTP server without AWS needs none of them.
//!
//! - `lambda`: [`lambda::run`] and the binary
//! - `secrets-manager`: `LIVEKIT_SECRET_ID`
//! - `dynamodb`: a DynamoDB table in `STATE_TABLE`
//!
//! # Stability
//!
//! The items on this page are stable. Hidden modules can change in every version: the examples, tests
//! and benchmarks of this repository use them.

// The modules, from the top down. A module imports only modules further down this list, and its own
// submodules (`tests/layers.rs`).
//
// | module | responsibility |
// |---|---|
// | `lambda` | events of API Gateway, Function URLs and ALB, converted to HTTP requests and back |
// | `app` | construction of all parts from the configuration |
// | `config` | the environment, read once |
// | `endpoint` | one HTTP request to one HTTP response and one log line |
// | `cors` | origins whose pages may read responses |
// | `exchange` | the use cases: participant tokens, moderation, roles during a call, the waiting room, invitations, Liveblocks tokens |
// | `policy` | rules and roles |
// | `participant` | the participant's identity and name, and fields that clients may set |
// | `presence` | presence colors |
// | `profile` | email, name and picture of a caller |
// | `oidc` | verification of access tokens |
// | `backend` | requests signed by trusted backends |
// | `ask` | client for the app that decides by its own data |
// | `invitation` | invitations, and the identities of guests |
// | `liveblocks` | client for the Liveblocks API |
// | `livekit` | participant tokens and client for `RoomService` |
// | `state` | bans, roles given during a call, people who wait, invitations |
// | `secrets` | signing keys and provider API keys |
// | `keys` | key types |
// | `lobby` | the kinds of waiting room, and the presence of hosts |
// | `rate_limit` | the limit of tokens per minute and person |
// | `bearer` | the access token in a request's headers |
// | `upstream` | the HTTP client, and cached values that survive an outage |
// | `logging` | log lines and metrics |
// | `request_scope` | request IDs, and whether a stale value was served |
// | `body` | a request body as a JSON object, and its invalid fields |
// | `json` | JSON without duplicate fields, and values by path |
// | `reason` | reasons for which values are refused |
// | `text` | names without forbidden characters |
// | `time` | times as seconds since 1970, and as dates |
// | `non_empty` | lists with at least one item |

#[doc(hidden)]
pub mod app;
#[doc(hidden)]
pub mod ask;
#[doc(hidden)]
pub mod backend;
#[doc(hidden)]
pub mod bearer;
#[doc(hidden)]
pub mod body;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod cors;
#[doc(hidden)]
pub mod endpoint;
#[doc(hidden)]
pub mod exchange;
#[doc(hidden)]
pub mod invitation;
#[doc(hidden)]
pub mod json;
#[doc(hidden)]
pub mod keys;
#[cfg(feature = "lambda")]
pub mod lambda;
#[doc(hidden)]
pub mod liveblocks;
#[doc(hidden)]
pub mod livekit;
#[doc(hidden)]
pub mod lobby;
pub mod logging;
#[doc(hidden)]
pub mod non_empty;
#[doc(hidden)]
pub mod oidc;
#[doc(hidden)]
pub mod participant;
pub mod policy;
#[doc(hidden)]
pub mod presence;
#[doc(hidden)]
pub mod profile;
#[doc(hidden)]
pub mod rate_limit;
#[doc(hidden)]
pub mod reason;
#[doc(hidden)]
pub mod request_scope;
#[doc(hidden)]
pub mod secrets;
#[doc(hidden)]
pub mod state;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod time;
#[doc(hidden)]
pub mod upstream;

pub use app::App;
pub use config::{Config, ConfigError};
pub use policy::{Policy, PolicyError};
