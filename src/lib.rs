//! LiveKit's standard token endpoint for any OpenID Connect provider, as one AWS Lambda function.
//!
//! A request is a bearer JWT of the app's identity provider and, perhaps, a room; the answer is a
//! participant token for LiveKit. The rooms of this house, from the door inwards:
//!
//! | module | lives here |
//! |---|---|
//! | [`lambda`] | events of API Gateway, Function URLs and ALB to HTTP requests and back |
//! | [`app`] | puts the parts together |
//! | [`config`] | the environment, read once |
//! | [`endpoint`], [`cors`], [`logging`] | one HTTP request to one HTTP response and one log line |
//! | [`problem`] | which error a caller sees, and how |
//! | [`exchange`] | the use case: verify, profile, policy, colour, sign; and what else it is good for |
//! | [`policy`], [`rules`], [`presence`] | what callers may do, what they are called, their colour |
//! | [`secrets`] | what we sign with |
//! | [`backend`], [`liveblocks`] | other doors: what backends sign, whom Liveblocks is told of |
//! | [`oidc`] | the caller's token: key set, verifier, profile |
//! | [`livekit`] | the participant's token: request, grants, signing; and the server's API |
//! | [`upstream`] | one HTTP client, and values that survive an upstream's outage |
//! | [`bearer`], [`json`], [`route`], [`text`] | what strangers send, read with care |
//! | [`request_scope`] | what belongs to the request in whose course code runs |
//!
//! A module uses only modules further down this list, and its own parts.

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
pub mod oidc;
pub mod participant;
pub mod policy;
pub mod presence;
pub mod profile;
pub mod request_scope;
pub mod secrets;
pub mod text;
pub mod upstream;

pub use app::App;
pub use config::{Config, ConfigError};
