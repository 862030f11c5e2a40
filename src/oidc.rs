//! The caller's token: where the keys are, what is checked, and whose profile it is.

pub mod algorithm;
pub mod claims;
pub mod discovery;
pub mod issuer;
pub mod jwk;
pub mod jwks;
pub mod jwt;
pub mod profile;
pub mod userinfo;
pub mod verifier;
