//! LiveKit's standard token endpoint for any OpenID Connect provider, as one AWS Lambda function.
//!
//! A request carries an access token of the app's identity provider and, optionally, a room. The
//! response is a participant token for LiveKit.
//!
//! | module | responsibility |
//! |---|---|
//! | [`lambda`] | events of API Gateway, Function URLs and ALB, converted to HTTP requests and back |
//! | [`app`] | construction of all parts from the configuration |
//! | [`config`] | the environment, read once |
//! | [`endpoint`] | one HTTP request to one HTTP response and one log line |
//! | [`cors`] | origins whose pages may read responses |
//! | [`exchange`] | the use cases: participant tokens, moderation, Liveblocks tokens |
//! | [`policy`] | rules and roles |
//! | [`participant`] | the participant's identity and name, and fields that clients may set |
//! | [`presence`] | presence colors |
//! | [`profile`] | email, name and picture of a caller |
//! | [`oidc`] | verification of access tokens |
//! | [`backend`] | requests signed by trusted backends |
//! | [`liveblocks`] | client for the Liveblocks API |
//! | [`livekit`] | participant tokens and client for `RoomService` |
//! | [`secrets`] | signing keys and provider API keys |
//! | [`keys`] | key types |
//! | [`bearer`] | the access token in a request's headers |
//! | [`upstream`] | the HTTP client, and cached values that survive an outage |
//! | [`logging`] | log lines and metrics |
//! | [`request_scope`] | request IDs, and whether a stale value was served |
//! | [`json`] | JSON without duplicate fields, and values by path |
//! | [`reason`] | reasons for which values are refused |
//! | [`text`] | names without forbidden characters |
//! | [`non_empty`] | lists with at least one item |
//!
//! A module imports only modules further down this list, and its own submodules
//! (`tests/layers.rs`).

pub mod app;
pub mod backend;
pub mod bearer;
pub mod config;
pub mod cors;
pub mod endpoint;
pub mod exchange;
pub mod json;
pub mod keys;
pub mod lambda;
pub mod liveblocks;
pub mod livekit;
pub mod logging;
pub mod non_empty;
pub mod oidc;
pub mod participant;
pub mod policy;
pub mod presence;
pub mod profile;
pub mod reason;
pub mod request_scope;
pub mod secrets;
pub mod text;
pub mod upstream;

pub use app::App;
pub use config::{Config, ConfigError};
