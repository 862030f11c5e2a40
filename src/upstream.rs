//! Upstreams: one HTTP client, and cached values that survive an outage.

#[cfg(any(feature = "dynamodb", feature = "secrets-manager"))]
pub mod aws;
pub mod client;
pub mod connection;
mod connector;
pub mod error;
pub mod freeze;
pub mod last_good;
pub mod roots;
