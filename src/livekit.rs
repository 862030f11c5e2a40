//! The participant's token: what a client may ask for, what is granted, and how it is signed.

pub mod access_token;
pub mod grants;
pub mod room_config;
pub mod room_service;
pub mod token_source;
