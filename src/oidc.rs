//! The caller's token: where the keys are, what is checked, and whose profile it is.

pub mod algorithm;
pub mod claims;
pub mod discovery;
pub mod error;
pub mod issuer;
pub mod jwk;
pub mod jwks;
pub mod jwt;
pub mod provider;
pub mod providers;
mod public_key;
pub mod verifier;
