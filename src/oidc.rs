//! The caller's token: where the keys are, what is checked, and whose profile it is.

pub mod algorithm;
pub mod claims;
pub mod directory;
pub mod discovery;
pub mod issuer;
pub mod jwk;
pub mod jwks;
pub mod jwt;
pub mod kept;
pub mod profile;
pub mod profiles;
pub mod provider;
pub mod providers;
mod public_key;
pub mod userinfo;
pub mod verifier;
