//! Clerk's and WorkOS' user directories: the conditions of a request, its form, and the use of the
//! response.

use std::sync::Arc;

use roomkey::App;
use serde_json::{Value, json};

use crate::support::{
    Call, Env, FakeDirectory, FakeIdp, FakeSecretsManager, Fault, NOW, Reply, Route, Tenant, at,
    extend, now,
};

/// A directory's provider, and the variables of its address and its key.
pub(crate) const KINDS: [(&str, &str, &str); 2] = [
    ("clerk", "CLERK_API_URL", "CLERK_SECRET_KEY"),
    ("workos", "WORKOS_API_URL", "WORKOS_API_KEY"),
];

/// The deployment with that directory and its defaults.
pub(crate) fn env(directory: &FakeDirectory, (provider, url, key): (&str, &str, &str)) -> Env {
    Tenant::of(provider)
        .env()
        .without("PROFILE_SOURCE")
        .without("PARTICIPANT_IDENTITY")
        .with(url, &directory.url())
        .with(key, FakeDirectory::KEY)
}

/// Sends a request with a token of that provider.
pub(crate) async fn post_token(app: &Arc<App>, provider: &str, change: &Value) -> Reply {
    Call::bare().bearer(&Tenant::of(provider).token(change)).send(app).await
}

/// Sends a request to a new app.
pub(crate) async fn once(
    directory: &FakeDirectory,
    kind: (&str, &str, &str),
    change: &Value,
) -> Reply {
    post_token(&env(directory, kind).app(), kind.0, change).await
}

#[tokio::test]
async fn directory_provides_email_name_and_picture() {
    for kind in KINDS {
        let directory = FakeDirectory::start();
        let participant = once(&directory, kind, &json!({})).await.participant();
        assert_eq!(participant["sub"], "ada@example.com", "{kind:?}: the primary address");
        assert_eq!(participant["name"], "Ada Lovelace", "{kind:?}");
        let image = format!("https://img.{}.example/ada", kind.0);
        assert_eq!(participant["attributes"]["imageUrl"], image, "{kind:?}");
        let asked = directory.asked();
        assert_eq!(asked.len(), 1, "{kind:?}");
        let expected = match kind.0 {
            "clerk" => "/v1/users/user_2bQ",
            _ => "/user_management/users/user_01ABC",
        };
        assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("GET", expected));
        let bearer = format!("Bearer {}", FakeDirectory::KEY);
        assert_eq!(asked[0].headers["authorization"], bearer, "{kind:?}");
        assert!(!asked[0].headers.contains_key("accept-encoding"), "no compressed answers");
    }
}

#[tokio::test]
async fn directory_profile_is_used_only_if_it_is_complete_and_verified() {
    let no_word =
        json!([{ "id": "idn_2", "email_address": "ada@example.com", "verification": null }]);
    let unverified = json!([
        { "id": "idn_1", "email_address": "old@example.com", "verification": { "status": "verified" } },
        { "id": "idn_2", "email_address": "ada@example.com", "verification": { "status": "unverified" } },
    ]);
    let named = json!({ "first_name": null, "last_name": "" });
    #[rustfmt::skip]
    let rows = [
        (0, "no primary address",     json!({ "primary_email_address_id": null }),     404, "email_not_set"),
        (0, "another primary address", json!({ "primary_email_address_id": "idn_9" }), 404, "email_not_set"),
        (0, "no addresses",           json!({ "email_addresses": [] }),                404, "email_not_set"),
        (0, "addresses no list",      json!({ "email_addresses": {} }),                404, "email_not_set"),
        (0, "addresses without ids",  json!({ "primary_email_address_id": null, "email_addresses": [{ "email_address": "x@example.com", "verification": { "status": "verified" } }] }), 404, "email_not_set"),
        (0, "unverified, not another", json!({ "email_addresses": unverified }),       403, "email_not_verified"),
        (0, "no word of it",          json!({ "email_addresses": no_word }),           403, "email_not_verified"),
        (0, "banned",                 json!({ "banned": true }),                       401, "invalid_token"),
        (0, "locked",                 json!({ "locked": true }),                       401, "invalid_token"),
        (0, "another user",           json!({ "id": "user_other" }),                   401, "invalid_token"),
        (0, "a user without an id",   json!({ "id": null }),                           401, "invalid_token"),
        (1, "no address",             json!({ "email": null }),                        404, "email_not_set"),
        (1, "an empty address",       json!({ "email": "" }),                          404, "email_not_set"),
        (1, "unverified",             json!({ "email_verified": false }),              403, "email_not_verified"),
        (1, "no word of it",          json!({ "email_verified": null }),               403, "email_not_verified"),
        (1, "another user",           json!({ "id": "user_other" }),                   401, "invalid_token"),
    ];
    for (kind, name, change, status, code) in rows {
        let directory = FakeDirectory::start();
        directory.introduce(&change);
        let row = format!("{}: {name}", KINDS[kind].0);
        once(&directory, KINDS[kind], &json!({})).await.expect_problem(&row, status, code);
    }
    for kind in KINDS {
        let directory = FakeDirectory::start();
        directory.introduce(&named);
        let reply = once(&directory, kind, &json!({})).await;
        assert_eq!(reply.participant()["name"], "Unnamed User", "{kind:?}");
        directory.introduce(&json!({ "last_name": null }));
        let reply = once(&directory, kind, &json!({})).await;
        assert_eq!(reply.participant()["name"], "Ada", "{kind:?}");
        directory.introduce(&json!({ "primary_email_address_id": null, "email": null }));
        let app = env(&directory, kind).with("PARTICIPANT_IDENTITY", "sub").app();
        let reply = post_token(&app, kind.0, &json!({})).await;
        assert_eq!(reply.participant()["name"], "Ada Lovelace", "{kind:?}: needs no address");
    }
}

#[tokio::test]
async fn user_missing_from_the_directory_is_not_found() {
    for kind in KINDS {
        let directory = FakeDirectory::start();
        directory.inject(Fault::Status(404));
        let app = env(&directory, kind).app();
        let reply = post_token(&app, kind.0, &json!({})).await;
        reply.expect_problem(kind.0, 404, "user_not_found");
        assert_eq!(reply.json()["title"], "User not found");
        directory.restore();
        let token = Tenant::of(kind.0).token(&json!({ "exp": NOW + 1_000 }));
        let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + 10)).await;
        reply.expect_issued("there ten seconds later");
    }
}

#[tokio::test]
async fn directory_profile_is_cached_for_five_minutes() {
    for kind in KINDS {
        let directory = FakeDirectory::start();
        let app = env(&directory, kind).app();
        let long = json!({ "exp": NOW + 5_000 });
        let token = Tenant::of(kind.0).token(&long);
        for (after, expected) in [(0, 1), (1, 1), (299, 1), (301, 2), (302, 2), (600, 2), (602, 3)]
        {
            let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + after)).await;
            reply.expect_issued(kind.0);
            assert_eq!(directory.count(), expected, "{kind:?} after {after} s");
        }
        let other = Tenant::of(kind.0).token(&extend(long, &json!({ "sub": "user_other" })));
        Call::bare().bearer(&other).send_at(&app, at(NOW + 602)).await.expect_issued("another");
        assert_eq!(directory.count(), 4, "{kind:?}: each person alone");
    }
}

#[tokio::test]
async fn directory_is_not_queried_for_complete_or_rejected_tokens() {
    let complete = json!({
        "email": "ada@acme.example", "email_verified": true, "name": "Ada of the token",
    });
    for kind in KINDS {
        let directory = FakeDirectory::start();
        let app = env(&directory, kind).app();
        let reply = post_token(&app, kind.0, &complete).await;
        assert_eq!(reply.participant()["name"], "Ada of the token");
        for change in [
            json!({ "exp": NOW - 60 }),
            json!({ "sid": null }),
            json!({ "iss": "https://evil.example" }),
            json!({ "sub": "x".repeat(256) }),
        ] {
            assert_eq!(post_token(&app, kind.0, &change).await.status, 401, "{change}");
        }
        assert_eq!(directory.count(), 0, "{kind:?}");
        let no_name = extend(complete.clone(), &json!({ "name": null }));
        let participant = post_token(&app, kind.0, &no_name).await.participant();
        assert_eq!(participant["sub"], "ada@acme.example", "the token comes first");
        assert_eq!(participant["name"], "Ada Lovelace");
    }
}

#[tokio::test]
async fn subject_is_one_path_segment_of_the_directory_url() {
    for kind in KINDS {
        let directory = FakeDirectory::start();
        let app = env(&directory, kind).app();
        for (subject, segment) in [
            ("user_1/../../organizations", "user_1%2F..%2F..%2Forganizations"),
            ("../organizations", "..%2Forganizations"),
            ("user_1?limit=500", "user_1%3Flimit%3D500"),
            ("user_1#x", "user_1%23x"),
            ("user_1%2Fbanned", "user_1%252Fbanned"),
            ("user_1;a=b&c", "user_1%3Ba%3Db%26c"),
            ("user 1", "user%201"),
            ("usér@x", "us%C3%A9r%40x"),
            ("a.b", "a.b"),
        ] {
            post_token(&app, kind.0, &json!({ "sub": subject })).await.expect_issued(subject);
            let target = directory.asked().pop().unwrap().target;
            assert_eq!(target.rsplit('/').next(), Some(segment), "{kind:?}: {target}");
        }
        let so_far = directory.count();
        for subject in [".", "..", "..."] {
            let reply = post_token(&app, kind.0, &json!({ "sub": subject })).await;
            reply.expect_problem(subject, 404, "user_not_found");
        }
        assert_eq!(directory.count(), so_far, "dots are never asked for");
    }
}

/// UserInfo receives the caller's token, and the directory receives the deployment's key.
#[tokio::test]
async fn userinfo_gets_the_access_token_and_the_directory_its_own_key() {
    let idp = FakeIdp::start();
    idp.introduce(&json!({ "email": null, "email_verified": null, "name": null }));
    let directory = FakeDirectory::start();
    let app = Env::online(&idp)
        .with("PROFILE_SOURCE", "claims,userinfo,clerk")
        .with("CLERK_API_URL", &directory.url())
        .with("CLERK_SECRET_KEY", FakeDirectory::KEY)
        .app();
    app.warm_up(now()).await;
    let token = idp.bare_token();
    let reply = Call::bare().bearer(&token).send(&app).await;
    assert_eq!(reply.participant()["name"], "Ada Lovelace");
    assert_eq!((idp.counts(), directory.count()), ((1, 1, 1), 1));
    let asked = directory.asked().pop().unwrap();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{asked:?}").contains(signature), "{asked:?}");
    for route in [Route::Discovery, Route::Jwks] {
        let asked = format!("{:?}", idp.asked(route));
        assert!(!asked.contains(signature) && !asked.contains("authorization"), "{asked}");
    }
    let seen = format!("{:?}", idp.asked(Route::UserInfo));
    assert!(!seen.contains(FakeDirectory::KEY) && seen.contains(signature), "{seen}");
}

#[tokio::test]
async fn directory_key_is_read_from_the_secret() {
    for kind @ (provider, _, key) in KINDS {
        let directory = FakeDirectory::start();
        let app = env(&directory, kind).without(key).app();
        let reply = post_token(&app, provider, &json!({})).await;
        reply.expect_problem("no key", 503, "unavailable");
        assert_eq!(directory.count(), 0, "{kind:?}: not asked without a key");

        let secrets = FakeSecretsManager::start();
        let app = env(&directory, kind).without(key).secret_in(&secrets).app();
        let reply = post_token(&app, provider, &json!({})).await;
        reply.expect_problem("none in the secret", 503, "unavailable");
        let mut secret = FakeSecretsManager::secret("devkey", crate::support::API_SECRET);
        secret[key] = json!("sk_test_next");
        secrets.keep(secret);
        directory.rotate("sk_test_next");
        let token = Tenant::of(provider).token(&json!({ "exp": NOW + 5_000 }));
        let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + 300)).await;
        reply.expect_issued("the key of the secret");
    }
}
