//! `POST /api/liveblocks-auth`: the same sign-in, profile and color for Liveblocks.

use serde_json::{Value, json};

use crate::support::{Call, Env, FakeApi, FakeDirectory, FakeSecretsManager, Fault, token};

const KEY: &str = "sk_test_0123456789abcdef";
const PATH: &str = "/api/liveblocks-auth";

fn liveblocks() -> FakeApi {
    FakeApi::start(|path, _| (200, json!({ "token": format!("token of {path}"), "more": 1 })))
}

fn env(api: &FakeApi) -> Env {
    Env::offline().with("LIVEBLOCKS_SECRET_KEY", KEY).with("LIVEBLOCKS_API_URL", &api.url("http"))
}

fn call(claims: &Value) -> Call {
    Call::bare().at("POST", PATH).bearer(&token(claims))
}

#[tokio::test]
async fn liveblocks_id_token_contains_the_profile() {
    let api = liveblocks();
    let app = env(&api).app();
    let reply = call(&json!({})).json(&json!({ "room": "doc-1" })).send(&app).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json(), json!({ "token": "token of /v2/identify-user" }));
    let participant = Call::token().send(&app).await.participant();
    let asked = &api.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v2/identify-user"));
    assert_eq!(asked.bearer(), KEY);
    assert_eq!(asked.headers["content-type"], "application/json");
    let expected = json!({
        "userId": "ada@example.com",
        "userInfo": {
            "name": "Ada Lovelace", "imageUrl": "https://img.example/ada.png",
            "color": participant["attributes"]["color"],
        },
    });
    assert_eq!(asked.body, expected, "the color is LiveKit's");
}

#[tokio::test]
async fn liveblocks_profile_equals_that_of_the_token_endpoint() {
    let api = liveblocks();
    for (env, claims, user, info) in [
        (
            env(&api),
            json!({ "name": null, "picture": null }),
            "ada@example.com",
            json!({ "name": "Unnamed User" }),
        ),
        (
            env(&api).with("PARTICIPANT_IDENTITY", "sub"),
            json!({ "email": null, "picture": null }),
            "user-1",
            json!({ "name": "Ada Lovelace" }),
        ),
    ] {
        assert_eq!(call(&claims).send(&env.app()).await.status, 200);
        let body = api.asked().last().unwrap().body.clone();
        assert_eq!(body["userId"], user);
        assert_eq!(body["userInfo"]["name"], info["name"]);
        assert!(body["userInfo"].get("imageUrl").is_none(), "{body}");
    }
}

/// Liveblocks' client rejects the same token if it receives it twice.
#[tokio::test]
async fn liveblocks_token_is_never_cached() {
    let api = liveblocks();
    let app = env(&api).app();
    for asked in 1..=3 {
        assert_eq!(call(&json!({})).send(&app).await.status, 200);
        assert_eq!(api.asked().len(), asked);
    }
}

const POLICY: &str = r#"
[[allow]]
when = { org_role = "admin" }
rooms = ["{org_id}:*"]
role = "host"
liveblocks = ["{org_id}:*", "all-hands"]

[[allow]]
rooms = ["{org_id}:*"]
role = "participant"

[[allow]]
rooms = ["lobby"]
role = "viewer"
liveblocks = ["docs-{sub}:*", "{org_id}", "*"]

[[allow]]
rooms = ["lobby"]
role = "viewer"
liveblocks = ["guests*"]
"#;

/// The caller, the requested room, and the permissions by room.
#[tokio::test]
async fn liveblocks_access_token_contains_patterns_of_the_policy() {
    let api = liveblocks();
    let app = env(&api).with("POLICY", POLICY).app();
    let admin = json!({ "org_id": "acme", "org_role": "admin" });
    let member = json!({ "org_id": "acme" });
    let rows = [
        (&admin, json!(null), Some(json!({ "acme:*": ["*:write"], "all-hands": ["*:write"] }))),
        (
            &admin,
            json!("acme:doc"),
            Some(json!({ "acme:*": ["*:write"], "all-hands": ["*:write"] })),
        ),
        (
            &admin,
            json!("other"),
            Some(json!({ "docs-user-1:*": ["*:read"], "acme": ["*:read"], "*": ["*:read"] })),
        ),
        (
            &member,
            json!(null),
            Some(json!({ "docs-user-1:*": ["*:read"], "acme": ["*:read"], "*": ["*:read"] })),
        ),
        (&json!({}), json!(null), Some(json!({ "guests*": ["*:read"] }))),
        (&json!({}), json!("guests-1"), Some(json!({ "guests*": ["*:read"] }))),
        (&json!({}), json!("acme:doc"), None),
        (&json!({ "org_id": "*", "org_role": "admin" }), json!("*:doc"), None),
        (&json!({ "org_id": "a".repeat(129) }), json!(null), None),
    ];
    for (claims, room, expected) in rows {
        let row = format!("{claims} {room}");
        let before = api.asked().len();
        let reply = call(claims).json(&json!({ "room": room })).send(&app).await;
        let Some(permissions) = expected else {
            reply.expect_problem(&row, 403, "room_not_allowed");
            assert_eq!(api.asked().len(), before, "{row}");
            continue;
        };
        assert_eq!(reply.json()["token"], "token of /v2/authorize-user", "{row}");
        assert_eq!(api.asked()[before].body["permissions"], permissions, "{row}");
    }
}

#[test]
fn liveblocks_patterns_are_limited_to_ten() {
    let policy = |count: usize| {
        let patterns: Vec<String> = (0..count).map(|number| format!("\"room-{number}\"")).collect();
        format!(
            "[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\nliveblocks = [{}]",
            patterns.join(",")
        )
    };
    for (count, is_good) in [(0, false), (1, true), (10, true), (11, false)] {
        assert_eq!(
            Env::offline().with("POLICY", &policy(count)).config().is_ok(),
            is_good,
            "{count}"
        );
    }
    let one = |pattern: &str| {
        format!("[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\nliveblocks = [\"{pattern}\"]")
    };
    // A claim has a byte at least, and a star none.
    for (name, pattern, is_good) in [
        ("a star in the middle", "a*b".to_owned(), false),
        ("128 bytes", "a".repeat(128), true),
        ("129 bytes", "a".repeat(129), false),
        ("128 bytes and a star", "a".repeat(128) + "*", true),
        ("127 bytes and a claim", "a".repeat(127) + "{sub}", true),
        ("128 bytes and a claim", "a".repeat(128) + "{sub}", false),
        ("126 bytes, two claims and a colon", "{a}:{b}".to_owned() + &"a".repeat(125), true),
        ("one more", "{a}:{b}".to_owned() + &"a".repeat(126), false),
    ] {
        let config = Env::offline().with("POLICY", &one(&pattern)).config();
        assert_eq!(config.is_ok(), is_good, "{name}");
    }
}

/// Two 404s are plain text, since apps show them. All other errors are problem documents.
#[tokio::test]
async fn liveblocks_rejection_is_plain_text_for_two_404s_only() {
    let api = liveblocks();
    let app = env(&api).app();
    let reply = call(&json!({ "email": null })).send(&app).await;
    assert_eq!((reply.status, reply.text().as_str()), (404, "Email address not set"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    let directory = FakeDirectory::start();
    let clerk = env(&api)
        .with("PROFILE_SOURCE", "clerk")
        .with("CLERK_API_URL", &directory.url())
        .with("CLERK_SECRET_KEY", FakeDirectory::KEY);
    directory.inject(Fault::Status(404));
    let reply = call(&json!({})).send(&clerk.app()).await;
    assert_eq!((reply.status, reply.text().as_str()), (404, "User not found"));

    let unverified = call(&json!({ "email_verified": false }));
    unverified.send(&app).await.expect_problem("unverified", 403, "email_not_verified");
    let nobody = Call::bare().at("POST", PATH);
    nobody.send(&app).await.expect_problem("nobody", 401, "missing_token");
    let bad = Call::bare().at("POST", PATH).bearer("a.b.c").body("text/plain", "x");
    bad.send(&app).await.expect_problem("bad", 401, "invalid_token");
    for (body, status, code) in [
        ("[]", 400, "invalid_request"),
        (r#"{"room":5}"#, 400, "invalid_request"),
        (r#"{"room":""}"#, 400, "invalid_request"),
        (r#"{"room":"a","room":"b"}"#, 400, "invalid_request"),
    ] {
        let reply = call(&json!({})).body("application/json", body).send(&app).await;
        reply.expect_problem(body, status, code);
    }
    let text = call(&json!({})).body("text/plain", "{}");
    text.send(&app).await.expect_problem("text", 415, "unsupported_media_type");
    let get = call(&json!({})).at("GET", PATH);
    get.send(&app).await.expect_problem("GET", 405, "method_not_allowed");
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn liveblocks_route_accepts_the_session_cookie_from_listed_origins() {
    let api = liveblocks();
    let app = env(&api)
        .with("SESSION_COOKIE", "__session")
        .with("ALLOWED_ORIGINS", "https://app.example")
        .app();
    let cookie = format!("a=b; __session={}", token(&json!({})));
    for (origin, status) in [("https://app.example", 200), ("https://evil.example", 403)] {
        let call = Call::bare().at("POST", PATH).header("cookie", &cookie).origin(origin);
        assert_eq!(call.send(&app).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn liveblocks_fault_is_answered_503() {
    let api = liveblocks();
    let app = env(&api).app();
    for fault in [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(422),
        Fault::Status(500),
        Fault::Html,
        Fault::Truncated,
        Fault::Json(json!({})),
        Fault::Json(json!({ "token": "" })),
        Fault::Json(json!({ "token": 5 })),
        Fault::Json(json!("token")),
        Fault::Redirect("http://127.0.0.1:1/".into()),
        Fault::Hang,
    ] {
        api.inject(fault.clone());
        let reply = call(&json!({})).send(&app).await;
        reply.expect_problem(&format!("{fault:?}"), 503, "unavailable");
    }
    api.restore();
    assert_eq!(call(&json!({})).send(&app).await.status, 200);
    api.down();
    call(&json!({})).send(&app).await.expect_problem("down", 503, "unavailable");
}

#[tokio::test]
async fn liveblocks_route_is_not_found_without_a_key() {
    let app = Env::offline().app();
    call(&json!({})).send(&app).await.expect_problem("no key", 404, "not_found");
    let nobody = Call::bare().at("POST", PATH);
    nobody.send(&app).await.expect_problem("no key, nobody", 404, "not_found");
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).app();
    call(&json!({})).send(&app).await.expect_problem("none in the secret", 404, "not_found");
}

#[test]
fn liveblocks_key_must_start_with_sk() {
    for (key, is_good) in
        [("sk_prod_a-b_C9", true), ("pk_prod_abc", false), ("sk_", false), ("sk_a b", false)]
    {
        let config = Env::offline().with("LIVEBLOCKS_SECRET_KEY", key).config();
        assert_eq!(config.is_ok(), is_good, "{key}");
    }
}
