//! Others whom we ask: one HTTP client, and values that survive their outages.

pub mod client;
pub mod error;
pub mod last_good;
