//! Many small changes to a valid token, on the verifier itself.

use std::time::UNIX_EPOCH;

use roomkey::oidc::issuer::KeySource;
use roomkey::oidc::jwks::Lookup;

use crate::support::{Env, Key, claims, clock, key_set, now};

/// The percentage of the changes for each kind of key. The cheapest kind gets most.
const SHARES: [(fn() -> Key, usize); 3] = [(Key::ed25519, 80), (Key::p256, 10), (Key::rsa, 10)];

/// The number of changes, unless `SMALL_CHANGES` sets another one.
const CHANGES: usize = 10_000;

/// Replacement characters: those of a token, and similar ones.
const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";

/// Changes, removes or adds one character of a valid token.
#[test]
fn token_with_one_changed_character_is_rejected() {
    // xorshift64*. Every run tries other changes; a failure prints the seed.
    let seed = variable("SMALL_CHANGES_SEED")
        .unwrap_or_else(|| clock().duration_since(UNIX_EPOCH).unwrap().as_secs() | 1);
    println!("SMALL_CHANGES_SEED={seed}");
    let changes = variable("SMALL_CHANGES").map_or(CHANGES, |count| count.try_into().unwrap());
    let mut state = seed;
    let mut below = |limit: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let drawn = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % limit
    };
    for (key, share) in SHARES {
        none_of_one_key_is_accepted(&key(), changes * share / 100, &mut below);
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn none_of_one_key_is_accepted(key: &Key, times: usize, below: &mut impl FnMut(usize) -> usize) {
    let env = Env::offline().with("OIDC_JWKS", &key_set(&[key]).to_string());
    let issuer = env.config().unwrap_or_else(|fault| panic!("{fault}")).issuers.remove(0);
    let KeySource::Given(keys) = issuer.keys else { panic!("the keys are given") };
    let accepts = |token: &str| {
        issuer.verifier.read(token).is_ok_and(|jwt| match keys.find(&jwt) {
            Lookup::Found(key) => issuer.verifier.verify(&jwt, key, now()).is_ok(),
            _ => false,
        })
    };
    let good = key.sign(&key.header(), &claims());
    assert!(accepts(&good), "the token itself");
    let mut changed = 0;
    while changed < times {
        let mut bytes = good.clone().into_bytes();
        let (place, character) = (below(bytes.len()), CHARACTERS[below(CHARACTERS.len())]);
        match below(8) {
            0 => drop(bytes.remove(place)),
            1 => bytes.insert(place, character),
            _ => bytes[place] = character,
        }
        let token = String::from_utf8(bytes).unwrap();
        if token != good {
            changed += 1;
            assert!(!accepts(&token), "{}, change {changed}: {token}", key.kid);
        }
    }
}
