//! Upstreams: one HTTP client, and cached values that survive an outage.

pub mod client;
pub mod connection;
pub mod error;
pub mod freeze;
pub mod last_good;
