//! Several issuers, each with its own keys and audience. None of them verifies tokens of another.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Call, Env, FakeIdp, Fault, Key, NOW, Reply, Route, claims, encode_part, key_set, merge, now,
};

pub(crate) const APP: &str = "https://app.idp.example";
pub(crate) const STAFF: &str = "https://staff.idp.example/realms/staff";

/// An environment without the variables of a single issuer.
fn without_issuer(env: Env) -> Env {
    env.without("OIDC_AUDIENCE").without("OIDC_JWKS").without("PROFILE_SOURCE")
}

/// Two issuers without a network.
pub(crate) fn offline() -> Env {
    without_issuer(Env::offline())
        .with("OIDC_ISSUER", &format!("app={APP}, staff={STAFF}"))
        .with("OIDC_APP_JWKS", &key_set(&[&Key::rsa()]).to_string())
        .with("OIDC_APP_AUDIENCE", "app-api")
        .with("OIDC_APP_PROFILE_SOURCE", "claims")
        .with("OIDC_STAFF_JWKS", &key_set(&[&Key::rsa_next()]).to_string())
        .with("OIDC_STAFF_AUTHORIZED_PARTIES", "meet")
        .with("OIDC_STAFF_PROFILE_SOURCE", "claims")
        .with("PARTICIPANT_IDENTITY", "sub")
}

/// Two issuers on real sockets.
fn online(app: &FakeIdp, staff: &FakeIdp) -> Env {
    staff.publish(&[&Key::rsa_next()]);
    without_issuer(Env::offline())
        .with("OIDC_ISSUER", &format!("app={},staff={}", app.issuer(), staff.issuer()))
        .with("OIDC_APP_AUDIENCE", "roomkey")
        .with("OIDC_STAFF_AUDIENCE", "roomkey")
        .with("PARTICIPANT_IDENTITY", "sub")
}

fn app_claims() -> Value {
    merge(claims(), &json!({ "iss": APP, "aud": "app-api" }))
}

fn staff_claims() -> Value {
    let own = json!({ "iss": STAFF, "aud": null, "azp": "meet", "typ": "Bearer", "sid": "s-1" });
    merge(claims(), &own)
}

async fn post_token(env: &Env, key: &Key, claims: &Value) -> Reply {
    Call::bare().bearer(&key.sign(&key.header(), claims)).send(&env.app()).await
}

#[tokio::test]
async fn token_is_verified_by_the_settings_of_its_own_issuer() {
    let env = offline();
    let participant = post_token(&env, &Key::rsa(), &app_claims()).await.participant();
    assert_eq!(participant["sub"], "app|user-1");
    let participant = post_token(&env, &Key::rsa_next(), &staff_claims()).await.participant();
    assert_eq!(participant["sub"], "staff|user-1", "another person of the same name");
    let (app, staff) = (Key::rsa(), Key::rsa_next());
    let mut app_as_staff = Key::rsa();
    app_as_staff.kid = "rsa-next";
    let mut staff_as_app = Key::rsa_next();
    staff_as_app.kid = "rsa";
    let with = |claims: Value, change: Value| merge(claims, &change);
    #[rustfmt::skip]
    let rows = [
        ("app's by staff's key",          &staff,        app_claims()),
        ("the same under app's name",     &staff_as_app, app_claims()),
        ("staff's by app's key",          &app,          staff_claims()),
        ("the same under staff's name",   &app_as_staff, staff_claims()),
        ("app's with staff's party",      &app,          with(app_claims(), json!({ "aud": null, "azp": "meet", "typ": "Bearer" }))),
        ("staff's with app's audience",   &staff,        with(staff_claims(), json!({ "aud": "app-api", "azp": null }))),
        ("app's with the plain audience", &app,          with(app_claims(), json!({ "aud": "roomkey" }))),
        ("staff's by Keycloak's habits",  &staff,        with(staff_claims(), json!({ "typ": "ID" }))),
        ("the plain issuer",              &app,          with(app_claims(), json!({ "iss": "https://idp.example/", "aud": "roomkey" }))),
        ("an unknown issuer",             &app,          with(app_claims(), json!({ "iss": "https://evil.example" }))),
        ("no issuer",                     &app,          with(app_claims(), json!({ "iss": null }))),
        ("both issuers",                  &app,          with(app_claims(), json!({ "iss": [APP, STAFF] }))),
        ("the name of an issuer",         &app,          with(app_claims(), json!({ "iss": "app" }))),
        ("name and issuer",               &app,          with(app_claims(), json!({ "iss": format!("app={APP}") }))),
        ("a slash after it",              &app,          with(app_claims(), json!({ "iss": format!("{APP}/") }))),
        ("a blank before it",             &staff,        with(staff_claims(), json!({ "iss": format!(" {STAFF}") }))),
    ];
    for (name, key, claims) in rows {
        post_token(&env, key, &claims).await.expect_problem(name, 401, "invalid_token");
    }
    let reply = post_token(&env, &app, &merge(app_claims(), &json!({ "exp": NOW - 60 }))).await;
    reply.expect_problem("expired", 401, "token_expired");
}

/// A payload with two issuers: the one that selects the keys is the one that is checked.
#[tokio::test]
async fn token_that_names_two_issuers_is_rejected() {
    let env = offline();
    let payload = app_claims().to_string();
    for twice in [
        format!("{{\"iss\":\"{STAFF}\",{}", &payload[1..]),
        format!("{},\"iss\":\"{STAFF}\"}}", &payload[..payload.len() - 1]),
        format!("{},\"\\u0069ss\":\"{STAFF}\"}}", &payload[..payload.len() - 1]),
    ] {
        for key in [Key::rsa(), Key::rsa_next()] {
            let token = key.sign_text(&key.header().to_string(), &twice);
            let reply = Call::bare().bearer(&token).send(&env.app()).await;
            reply.expect_problem(&twice, 401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn token_of_an_unknown_issuer_causes_no_fetch() {
    let (app, staff) = (FakeIdp::start(), FakeIdp::start());
    let roomkey = online(&app, &staff).app();
    let key = Key::rsa();
    for change in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": null }),
        json!({ "iss": [app.issuer()] }),
        json!({ "iss": format!("{}/", app.issuer()) }),
    ] {
        let token = key.sign(&key.header(), &merge(claims(), &change));
        let reply = Call::bare().bearer(&token).send(&roomkey).await;
        reply.expect_problem(&change.to_string(), 401, "invalid_token");
    }
    let empty = format!("{}.{}.x", encode_part("{}"), encode_part("{}"));
    Call::bare().bearer(&empty).send(&roomkey).await.expect_problem("no", 401, "invalid_token");
    assert_eq!((app.counts(), staff.counts()), ((0, 0, 0), (0, 0, 0)));

    let reply = Call::bare().bearer(&app.token(&json!({}))).send(&roomkey).await;
    assert_eq!(reply.participant()["sub"], "app|user-1");
    assert_eq!((app.counts(), staff.counts()), ((1, 1, 0), (0, 0, 0)), "only its own");
    let forged = staff.token_by(&Key::rsa(), &json!({}));
    let reply = Call::bare().bearer(&forged).send(&roomkey).await;
    reply.expect_problem("staff's by app's key", 401, "invalid_token");
    assert_eq!(app.counts(), (1, 1, 0), "no other issuer is tried");
}

#[tokio::test]
async fn outage_of_one_issuer_does_not_affect_the_other() {
    for fault in [None, Some(Fault::Hang), Some(Fault::Status(500))] {
        let (app, staff) = (FakeIdp::start(), FakeIdp::start());
        let roomkey = online(&app, &staff).app();
        match &fault {
            None => app.down(),
            Some(fault) => {
                app.inject(Route::Jwks, fault.clone());
                app.inject(Route::Discovery, fault.clone());
            }
        }
        let of_staff = staff.token_by(&Key::rsa_next(), &json!({}));
        let of_app = app.token(&json!({}));
        let staffs = async {
            let started = Instant::now();
            let reply = Call::bare().bearer(&of_staff).send(&roomkey).await;
            assert_eq!(reply.participant()["sub"], "staff|user-1", "{fault:?}");
            started.elapsed()
        };
        let apps = Call::bare().bearer(&of_app).send(&roomkey);
        let (reply, waited) = tokio::join!(apps, staffs);
        reply.expect_problem(&format!("{fault:?}"), 503, "unavailable");
        assert!(waited < Duration::from_secs(1), "{fault:?}: {waited:?}");
        roomkey.warm_up(now()).await;
        let reply = Call::bare().bearer(&of_staff).send(&roomkey).await;
        reply.expect_issued("after an init that failed for the other");
    }
}

/// A cached profile belongs to one subject of one issuer.
#[tokio::test]
async fn profile_is_cached_per_issuer_and_subject() {
    let (app, staff) = (FakeIdp::start(), FakeIdp::start());
    staff.introduce(&json!({ "name": "Grace of staff" }));
    let env = online(&app, &staff).with("OIDC_APP_PROFILE_SOURCE", "userinfo");
    let roomkey = env.with("OIDC_STAFF_PROFILE_SOURCE", "userinfo").app();
    for _ in 0..2 {
        let reply = Call::bare().bearer(&app.token(&json!({}))).send(&roomkey).await;
        assert_eq!(reply.participant()["name"], "Ada from UserInfo");
        let token = staff.token_by(&Key::rsa_next(), &json!({}));
        let reply = Call::bare().bearer(&token).send(&roomkey).await;
        assert_eq!(reply.participant()["name"], "Grace of staff");
    }
    assert_eq!((app.counts().2, staff.counts().2), (1, 1));
}

#[tokio::test]
async fn shared_secret_is_valid_for_its_issuer_only() {
    let shared = "shared-secret-of-thirty-two-byte";
    let env = offline().with("OIDC_STAFF_HS256_SECRET", shared);
    let sign = |claims: &Value| {
        let header = encode_part(r#"{"alg":"HS256","typ":"JWT"}"#);
        let message = format!("{header}.{}", encode_part(&claims.to_string()));
        let key = jsonwebtoken::EncodingKey::from_secret(shared.as_bytes()).unwrap();
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    };
    let roomkey = env.app();
    let reply = Call::bare().bearer(&sign(&staff_claims())).send(&roomkey).await;
    assert_eq!(reply.participant()["sub"], "staff|user-1");
    let reply = Call::bare().bearer(&sign(&app_claims())).send(&roomkey).await;
    reply.expect_problem("app shares nothing", 401, "invalid_token");
    let reply = post_token(&env, &Key::rsa_next(), &staff_claims()).await;
    reply.expect_problem("staff shares a secret and nothing else", 401, "invalid_token");
    post_token(&env, &Key::rsa(), &app_claims()).await.expect_issued("app's keys");
}

#[tokio::test]
async fn email_is_one_identity_across_issuers() {
    let env = offline().with("PARTICIPANT_IDENTITY", "email");
    let by_app = post_token(&env, &Key::rsa(), &app_claims()).await.participant();
    let by_staff = post_token(&env, &Key::rsa_next(), &staff_claims()).await.participant();
    assert_eq!(by_app["sub"], by_staff["sub"]);
    let one = env.with("OIDC_ISSUER", &format!("app={APP}")).with("PARTICIPANT_IDENTITY", "sub");
    let alone = post_token(&one, &Key::rsa(), &app_claims()).await.participant();
    assert_eq!(alone["sub"], "app|user-1", "a name counts, alone or not");
}

#[test]
fn invalid_issuer_settings_prevent_the_start() {
    let of = |list: &str| offline().with("OIDC_ISSUER", list);
    let long = format!("app={APP},{}={STAFF}", "s".repeat(17));
    #[rustfmt::skip]
    let rows = [
        ("unnamed",               of(&format!("{APP},{STAFF}")),               vec!["OIDC_ISSUER"]),
        ("one of two unnamed",    of(&format!("app={APP},{STAFF}")),           vec!["OIDC_ISSUER"]),
        ("a name twice",          of(&format!("app={APP},app={STAFF}")),       vec!["OIDC_ISSUER"]),
        ("an issuer twice",       of(&format!("app={APP},staff={APP}")),       vec!["OIDC_ISSUER"]),
        ("a name in capitals",    of(&format!("APP={APP},staff={STAFF}")),     vec!["OIDC_ISSUER"]),
        ("one capital",           of(&format!("aPp={APP},staff={STAFF}")),     vec!["OIDC_ISSUER"]),
        ("a name with a hyphen",  of(&format!("my-app={APP},staff={STAFF}")),  vec!["OIDC_ISSUER"]),
        ("a name with an underscore", of(&format!("my_app={APP},staff={STAFF}")), vec!["OIDC_ISSUER"]),
        ("an empty name",         of(&format!("={APP},staff={STAFF}")),        vec!["OIDC_ISSUER"]),
        ("a name of 17 bytes",    of(&long),                                   vec!["OIDC_ISSUER"]),
        ("an empty issuer",       of(&format!("app=,staff={STAFF}")),          vec!["OIDC_ISSUER"]),
        ("an empty item",         of(&format!("app={APP},,staff={STAFF}")),    vec!["OIDC_ISSUER"]),
        ("a comma at the end",    of(&format!("app={APP},staff={STAFF},")),    vec!["OIDC_ISSUER"]),
        ("no audience for app",   offline().without("OIDC_APP_AUDIENCE"),      vec!["OIDC_APP_AUDIENCE"]),
        ("none for either",       offline().without("OIDC_APP_AUDIENCE").without("OIDC_STAFF_AUTHORIZED_PARTIES"),
                                                                               vec!["OIDC_APP_AUDIENCE", "OIDC_STAFF_AUDIENCE"]),
        ("a bad provider",        offline().with("OIDC_STAFF_PROVIDER", "x"),  vec!["OIDC_STAFF_PROVIDER"]),
        ("a bad algorithm",       offline().with("OIDC_APP_ALGORITHMS", "none"), vec!["OIDC_APP_ALGORITHMS"]),
        ("a short secret",        offline().with("OIDC_STAFF_HS256_SECRET", "short"), vec!["OIDC_STAFF_HS256_SECRET"]),
        ("HS256 without a secret", offline().without("OIDC_APP_JWKS").with("OIDC_APP_ALGORITHMS", "HS256"),
                                                                               vec!["OIDC_APP_HS256_SECRET"]),
    ];
    for (name, env, variables) in rows {
        let Err(fault) = env.config() else { panic!("{name}: it starts") };
        let message = fault.to_string();
        for variable in variables {
            assert!(message.contains(variable), "{name}: no {variable} in {message}");
        }
    }
    assert!(offline().config().is_ok());
}

/// A variable without a name would be ignored.
#[test]
fn plain_variable_beside_named_issuers_is_a_fault() {
    let keys = key_set(&[&Key::rsa()]).to_string();
    #[rustfmt::skip]
    let rows = [
        ("OIDC_PROVIDER", "generic"), ("OIDC_AUDIENCE", "a"), ("OIDC_AUTHORIZED_PARTIES", "a"),
        ("OIDC_DEDICATED_ISSUER", "true"), ("OIDC_JWKS_URI", "https://idp.example/keys"),
        ("OIDC_JWKS", keys.as_str()), ("OIDC_ALGORITHMS", "RS256"),
        ("OIDC_HS256_SECRET", "shared-secret-of-thirty-two-byte"), ("SUBJECT_CLAIM", "oid"),
        ("PROFILE_SOURCE", "claims"), ("EMAIL_CLAIM", "mail"), ("EMAIL_VERIFIED_CLAIM", "mail_ok"),
        ("NAME_CLAIM", "name"), ("PICTURE_CLAIM", "picture"), ("REQUIRE_VERIFIED_EMAIL", "false"),
    ];
    let one = offline().with("OIDC_ISSUER", &format!("app={APP}"));
    for env in [offline(), one] {
        for (variable, value) in rows {
            let Err(fault) = env.clone().with(variable, value).config() else {
                panic!("{variable}: it starts")
            };
            let expected = format!("\n  {variable} must not be set if OIDC_ISSUER names issuers");
            assert!(fault.to_string().contains(&expected), "{variable}: {fault}");
            assert!(env.clone().with(variable, "").config().is_ok(), "{variable} is empty");
        }
    }
    for variable in ["CLOCK_SKEW_SECONDS", "JWKS_TTL_SECONDS", "JWKS_COOLDOWN_SECONDS"] {
        assert!(offline().with(variable, "9").config().is_ok(), "{variable} is for all issuers");
    }
}

#[tokio::test]
async fn verified_email_is_required_by_each_issuer_for_itself() {
    let unverified = json!({ "email_verified": false });
    let by_email = offline().with("PARTICIPANT_IDENTITY", "email");
    let rows = [
        (by_email.clone(), 403, 403),
        (by_email.clone().with("OIDC_APP_REQUIRE_VERIFIED_EMAIL", "false"), 201, 403),
        (by_email.clone().with("OIDC_STAFF_REQUIRE_VERIFIED_EMAIL", "false"), 403, 201),
        (by_email.with("OIDC_STAFF_REQUIRE_VERIFIED_EMAIL", "true"), 403, 403),
    ];
    for (place, (env, by_app, by_staff)) in rows.into_iter().enumerate() {
        let reply = post_token(&env, &Key::rsa(), &merge(app_claims(), &unverified)).await;
        assert_eq!(reply.status, by_app, "{place}: {}", reply.text());
        let reply = post_token(&env, &Key::rsa_next(), &merge(staff_claims(), &unverified)).await;
        assert_eq!(reply.status, by_staff, "{place}: {}", reply.text());
    }
}

#[tokio::test]
async fn subject_claim_belongs_to_one_issuer() {
    let env = offline().with("OIDC_STAFF_SUBJECT_CLAIM", "oid");
    let with_oid = |claims: Value| merge(claims, &json!({ "oid": "o-1" }));
    let reply = post_token(&env, &Key::rsa_next(), &with_oid(staff_claims())).await;
    assert_eq!(reply.participant()["sub"], "staff|o-1");
    let reply = post_token(&env, &Key::rsa(), &with_oid(app_claims())).await;
    assert_eq!(reply.participant()["sub"], "app|user-1");
    let reply = post_token(&env, &Key::rsa_next(), &staff_claims()).await;
    reply.expect_problem("staff's token without it", 401, "invalid_token");
}

/// LiveKit's identities have at most 256 bytes, the issuer's name included.
#[tokio::test]
async fn subject_is_limited_by_the_name_of_its_issuer() {
    let long = "s".repeat(16);
    let named = offline()
        .without("OIDC_STAFF_JWKS")
        .without("OIDC_STAFF_AUTHORIZED_PARTIES")
        .without("OIDC_STAFF_PROFILE_SOURCE")
        .with("OIDC_ISSUER", &format!("app={APP},{long}={STAFF}"));
    let of = |variable: &str| format!("OIDC_{}_{variable}", long.to_uppercase());
    let named = named
        .with(&of("JWKS"), &key_set(&[&Key::rsa_next()]).to_string())
        .with(&of("AUTHORIZED_PARTIES"), "meet")
        .with(&of("PROFILE_SOURCE"), "claims");
    let alone = without_issuer(Env::offline())
        .with("OIDC_ISSUER", APP)
        .with("OIDC_AUDIENCE", "app-api")
        .with("OIDC_JWKS", &key_set(&[&Key::rsa()]).to_string())
        .with("PROFILE_SOURCE", "claims")
        .with("PARTICIPANT_IDENTITY", "sub");
    let rows = [
        (&alone, Key::rsa(), app_claims(), 255, true),
        (&alone, Key::rsa(), app_claims(), 256, false),
        (&named, Key::rsa(), app_claims(), 252, true),
        (&named, Key::rsa(), app_claims(), 253, false),
        (&named, Key::rsa_next(), staff_claims(), 239, true),
        (&named, Key::rsa_next(), staff_claims(), 240, false),
    ];
    for (env, key, claims, length, is_accepted) in rows {
        let claims = merge(claims, &json!({ "sub": "x".repeat(length) }));
        let reply = post_token(env, &key, &claims).await;
        if is_accepted {
            reply.expect_issued(&length.to_string());
        } else {
            reply.expect_problem(&length.to_string(), 401, "invalid_token");
        }
    }
}
