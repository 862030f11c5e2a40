//! Verification of access tokens: issuers, their keys, the checks and the presets.

pub mod algorithm;
pub mod audience;
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
mod token_kind;
pub mod verifier;
