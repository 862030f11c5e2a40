//! The parts of tests: keys, tokens, requests, and fakes on real sockets that record every request.

mod app;
mod bootstrap;
mod call;
pub(crate) mod corpus;
pub(crate) mod cost;
mod fake_api;
mod fake_app;
mod fake_clock;
mod fake_directory;
mod fake_dynamodb;
mod fake_idp;
mod fake_secrets_manager;
mod fault;
pub(crate) mod gateway;
mod keys;
mod reply;
mod rows;
mod runtime_api;
mod server;
pub(crate) mod signed;
mod tenant;
mod tokens;

pub(crate) use app::{ANYONE, API_KEY, API_SECRET, Env, ISSUER};
pub(crate) use bootstrap::Bootstrap;
pub(crate) use call::Call;
pub(crate) use fake_api::{Asked, FakeApi};
pub(crate) use fake_app::{FakeApp, Say};
pub(crate) use fake_clock::FakeClock;
pub(crate) use fake_directory::FakeDirectory;
pub(crate) use fake_dynamodb::{FakeDynamoDb, StateFault};
pub(crate) use fake_idp::{FakeIdp, Route};
pub(crate) use fake_secrets_manager::{FakeSecretsManager, SecretFault};
pub(crate) use fault::Fault;
pub(crate) use keys::{Key, key_set, weak, with_hmac};
pub(crate) use reply::Reply;
pub(crate) use rows::four_at_a_time;
pub(crate) use runtime_api::Outcome;
pub(crate) use server::Server;
pub(crate) use tenant::Tenant;
pub(crate) use tokens::{
    NOW, at, claims, clock, decode_part, encode_part, extend, merge, now, text, today, token,
};
