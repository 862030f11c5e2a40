//! No response repeats a value of the request or of an upstream's response.

use serde_json::{Value, json};

use crate::support::{
    API_SECRET, Call, Env, FakeIdp, Fault, Key, Reply, Route, claims, merge, now, token,
};

const MARK: &str = "Zx9marker";

#[track_caller]
fn expect_silent(row: &str, reply: &Reply) {
    assert!(reply.status >= 400, "{row}: {}", reply.status);
    let shown = format!("{} {:?}", reply.text(), reply.headers);
    for secret in [
        MARK,
        API_SECRET,
        "ada@example.com",
        "user-1",
        "Ada Lovelace",
        "eyJ",
        "participant_token",
        "server_url",
    ] {
        assert!(!shown.contains(secret), "{row} shows {secret}: {shown}");
    }
}

#[tokio::test]
async fn response_repeats_nothing_of_the_body() {
    let app = Env::offline().app();
    let long = format!("{MARK}{}", "x".repeat(256));
    for body in [
        json!({ "room_name": format!("{MARK}\n") }),
        json!({ "room_name": long }),
        json!({ "room_name": [MARK] }),
        json!({ "participant_name": MARK }),
        json!({ "participant_identity": MARK }),
        json!({ "participant_metadata": MARK.repeat(500) }),
        json!({ "participant_attributes": { "lk.Zx9marker": MARK } }),
        json!({ "participant_attributes": { "Zx9marker ": MARK } }),
        json!({ "participant_attributes": { "a": [MARK] } }),
        json!({ "room_config": { "agents": [{ "agent_name": MARK }] } }),
        json!({ "room_config": { "metadata": MARK } }),
        json!({ "room_config": MARK }),
        json!([MARK]),
        json!(MARK),
    ] {
        let reply = Call::asking(&body).send(&app).await;
        expect_silent(&body.to_string(), &reply);
    }
    for text in
        ["Zx9marker", "{\"Zx9marker\"", "{\"room_name\":\"Zx9marker\",\"roomName\":\"Zx9marker\"}"]
    {
        let reply = Call::token().body("application/json", text).send(&app).await;
        expect_silent(text, &reply);
        let reply = Call::token().body("text/Zx9marker", text).send(&app).await;
        expect_silent(text, &reply);
    }
}

#[tokio::test]
async fn response_repeats_nothing_of_the_request_line_and_headers() {
    let app = Env::offline().app();
    for (row, call) in [
        ("path", Call::token().at("POST", "/Zx9marker")),
        ("query", Call::bare().at("POST", "/token?access_token=Zx9marker")),
        ("method", Call::token().at("ZX9MARKER", "/token")),
        ("bearer", Call::bare().bearer(MARK)),
        ("scheme", Call::bare().header("authorization", "Zx9marker x")),
        ("origin", Call::bare().origin("https://Zx9marker.example")),
        ("cookie", Call::bare().header("cookie", "a=Zx9marker")),
    ] {
        expect_silent(row, &call.send(&app).await);
    }
}

#[tokio::test]
async fn response_repeats_nothing_of_the_token() {
    let app = Env::offline().app();
    let key = Key::rsa();
    let header = |change: &Value| key.sign(&merge(key.header(), change), &claims());
    for (row, token) in [
        ("kid", header(&json!({ "kid": MARK }))),
        ("typ", header(&json!({ "typ": MARK }))),
        ("crit", header(&json!({ "crit": [MARK] }))),
        ("iss", token(&json!({ "iss": "https://Zx9marker.example/" }))),
        ("aud", token(&json!({ "aud": MARK }))),
        ("exp", token(&json!({ "exp": MARK }))),
        ("expired", token(&json!({ "exp": 0, "sub": MARK }))),
        (
            "email unverified",
            token(&json!({ "email": "Zx9marker@example.com", "email_verified": false })),
        ),
        ("no email", token(&json!({ "email": null, "name": MARK }))),
    ] {
        expect_silent(row, &Call::bare().bearer(&token).send(&app).await);
    }
}

#[tokio::test]
async fn response_repeats_nothing_of_an_upstream() {
    for (row, route, fault) in [
        ("key set", Route::Jwks, Fault::Bytes(b"{\"Zx9marker\"".to_vec())),
        ("key set's keys", Route::Jwks, Fault::Json(json!({ "keys": MARK }))),
        ("discovery", Route::Discovery, Fault::Json(json!({ "issuer": MARK }))),
        ("UserInfo", Route::UserInfo, Fault::Bytes(b"Zx9marker".to_vec())),
        ("UserInfo's status", Route::UserInfo, Fault::RetryAfter(503, "Zx9marker")),
        ("UserInfo's subject", Route::UserInfo, Fault::Json(json!({ "sub": MARK }))),
        ("a redirect", Route::UserInfo, Fault::Redirect("https://Zx9marker.example".into())),
    ] {
        let idp = FakeIdp::start();
        idp.inject(route, fault);
        let app = Env::online(&idp).app();
        app.warm_up(now()).await;
        let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
        expect_silent(row, &reply);
        assert!(!reply.text().contains("127.0.0.1"), "{row}: {}", reply.text());
    }
}
