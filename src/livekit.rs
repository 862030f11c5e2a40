//! Participant tokens: requests, grants and signatures, and a client for `RoomService`.

pub mod access_token;
pub mod attributes;
pub mod grants;
pub mod participant_info;
mod proto_json;
mod requested_room;
pub mod room_config;
pub mod room_service;
pub mod token_source;
pub mod webhook;
