//! `POST /token` with an invitation: the guest's token, and checks of the invitation.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use roomkey::App;
use roomkey::state::item::{Ban, Change};
use serde_json::{Value, json};

use crate::invitations::{SECRET, env, invitation, invite};
use crate::support::{
    API_SECRET, Call, Env, Key, NOW, Reply, at, claims, decode_part, encode_part, merge, text,
    token, with_hmac,
};

const GUEST: &str = "x-roomkey-guest";
const BROWSER: &str = "0123456789abcdefghijKL";

async fn enter(app: &Arc<App>, invitation: &str, body: &Value) -> Reply {
    Call::bare().bearer(invitation).header(GUEST, BROWSER).json(body).send(app).await
}

/// The invitation with other header and claims, signed with its own secret.
fn resigned(invitation: &str, header: &Value, change: &Value) -> String {
    let header = merge(decode_part(invitation, 0), header);
    let claims = merge(decode_part(invitation, 1), change);
    sign(&header.to_string(), &claims.to_string())
}

fn sign(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode_part(header), encode_part(claims));
    with_hmac(&message, SECRET, Algorithm::HS256)
}

#[tokio::test]
async fn guest_gets_a_token_for_the_room_and_role_of_the_invitation() {
    let app = env().app();
    let invitation = invitation(&app, &json!({ "role": "viewer" })).await;
    let reply = enter(&app, &invitation, &json!({ "participant_name": "Grace" })).await;
    let claims = reply.expect_issued("a guest").participant();
    assert_eq!(reply.json()["room_name"], "lobby");
    assert_eq!(reply.json()["participant_name"], "Grace");
    assert_eq!(claims["name"], "Grace");
    assert_eq!(claims["video"]["room"], "lobby");
    assert_eq!(claims["video"]["canPublish"], false);
    assert_eq!(claims["video"].get("roomAdmin"), None);
    let identity = claims["sub"].as_str().unwrap();
    let hash = identity.strip_prefix("guest:").unwrap();
    assert_eq!(hash.len(), 22, "128 bits: {identity}");
    let attributes = claims["attributes"].as_object().unwrap();
    let keys: Vec<_> = attributes.keys().map(String::as_str).collect();
    assert_eq!(keys, ["color", "guest", "role"]);
    assert_eq!((&attributes["guest"], &attributes["role"]), (&json!("true"), &json!("viewer")));
}

#[tokio::test]
async fn identity_is_stable_for_one_browser_and_one_invitation() {
    let app = env().app();
    let one = invitation(&app, &json!({})).await;
    let other = invitation(&app, &json!({})).await;
    let identity = async |invitation: &str, secret: Option<&str>| {
        let call = Call::bare().bearer(invitation);
        let call = secret.into_iter().fold(call, |call, secret| call.header(GUEST, secret));
        let claims = call.send(&app).await.participant();
        (claims["sub"].clone(), claims["attributes"]["color"].clone())
    };
    let first = identity(&one, Some(BROWSER)).await;
    assert_eq!(identity(&one, Some(BROWSER)).await, first, "a reload");
    assert_ne!(identity(&one, Some("0123456789abcdefghijKl")).await.0, first.0, "another browser");
    assert_ne!(identity(&other, Some(BROWSER)).await.0, first.0, "another invitation");
    assert_ne!(identity(&one, None).await.0, identity(&one, None).await.0, "no secret");
}

#[tokio::test]
async fn given_role_and_ban_apply_to_a_guest() {
    let app = env().with("STATE_TABLE", "memory").app();
    let state = app.endpoint().exchange().state().unwrap();
    let invitation = invitation(&app, &json!({ "role": "participant" })).await;
    let claims = enter(&app, &invitation, &json!({})).await.participant();
    let identity = claims["sub"].as_str().unwrap();
    // A role that moderates is kept only by those whose own role moderates.
    for (given, expected) in
        [("viewer", "viewer"), ("moderator", "participant"), ("host", "participant")]
    {
        state.give_role("lobby", identity, given, at(NOW)).await.unwrap();
        let claims = enter(&app, &invitation, &json!({})).await.participant();
        assert_eq!(claims["attributes"]["role"], expected, "{given}");
    }
    let ban = Ban { banned_at: 0, ends_at: None, reason: None };
    state.change("lobby", identity, &Change::Ban(ban), at(NOW)).await.unwrap();
    enter(&app, &invitation, &json!({})).await.expect_problem("banned", 403, "banned");
}

#[tokio::test]
async fn guest_secret_is_one_header_of_22_to_64_characters() {
    let app = env().app();
    let invitation = invitation(&app, &json!({})).await;
    let (short, long, not_ascii) = (text(21), text(65), "é".repeat(22));
    let rows: &[(&str, &[&[u8]], bool)] = &[
        ("none", &[], true),
        ("the shortest", &[&text(22).into_bytes()], true),
        ("too short", &[short.as_bytes()], false),
        ("the longest", &[&text(64).into_bytes()], true),
        ("too long", &[long.as_bytes()], false),
        ("every kind", &[b"AZaz09_-AZaz09_-AZaz09"], true),
        ("empty", &[b""], false),
        ("base64", &[b"AZaz09+/AZaz09+/AZaz09"], false),
        ("padding", &[b"AZaz09_-AZaz09_-AZaz09=="], false),
        ("a blank", &[b"AZaz09_-AZaz 09_-AZaz09"], false),
        ("a comma", &[b"AZaz09_-AZaz09,AZaz09_-"], false),
        ("a colon", &[b"guest:AZaz09_-AZaz09_-A"], false),
        ("not ASCII", &[not_ascii.as_bytes()], false),
        ("twice", &[BROWSER.as_bytes(), BROWSER.as_bytes()], false),
    ];
    for (row, values, is_valid) in rows {
        let call = Call::bare().bearer(&invitation);
        let call = values.iter().fold(call, |call, value| call.raw_header(GUEST, value));
        let reply = call.send(&app).await;
        if *is_valid {
            reply.expect_issued(row);
        } else {
            reply.expect_problem(row, 400, "invalid_request");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with("X-Roomkey-Guest must be"), "{row}: {detail}");
        }
    }
    let person = Call::token().header(GUEST, "x").send(&app).await;
    person.expect_problem("a person in another room", 403, "room_not_allowed");
}

#[tokio::test]
async fn guest_asks_for_nothing_beyond_the_invitation() {
    let app = env().app();
    let open = invitation(&app, &json!({})).await;
    let named = invitation(&app, &json!({ "name": "Gra\u{e7}e" })).await;
    let own = enter(&app, &open, &json!({})).await.participant()["sub"].clone();
    let ada = json!({ "participant_identity": "ada@example.com" });
    #[rustfmt::skip]
    let rows = [
        ("its room",             &open,  json!({ "room_name": "lobby" }),                            201, ""),
        ("another room",         &open,  json!({ "room_name": "closed" }),                           403, "room_not_allowed"),
        ("its identity",         &open,  json!({ "participant_identity": own }),                     201, ""),
        ("a person's identity",  &open,  ada.clone(),                                                403, "field_not_allowed"),
        ("another guest",        &open,  json!({ "participant_identity": format!("guest:{}", text(22)) }), 403, "field_not_allowed"),
        ("a name",               &open,  json!({ "participant_name": text(64) }),                    201, ""),
        ("a name too long",      &open,  json!({ "participant_name": text(65) }),                    400, "invalid_request"),
        ("a name of 65 bytes",   &open,  json!({ "participant_name": format!("{}é", text(63)) }),    400, "invalid_request"),
        ("markup is a name",     &open,  json!({ "participant_name": "<b>Ada</b>" }),                201, ""),
        ("overrides",            &open,  json!({ "participant_name": "a\u{202e}b" }),                400, "invalid_request"),
        ("a line break",         &open,  json!({ "participant_name": "a\nb" }),                      400, "invalid_request"),
        ("nothing visible",      &open,  json!({ "participant_name": "\u{200b} \u{3164}" }),         400, "invalid_request"),
        ("the invitation's name",&named, json!({ "participant_name": "Grac\u{327}e" }),              201, ""),
        ("no name",              &named, json!({}),                                                  201, ""),
        ("another name",         &named, json!({ "participant_name": "Ada" }),                       403, "field_not_allowed"),
        ("metadata",             &open,  json!({ "participant_metadata": "x" }),                     201, ""),
        ("attributes",           &open,  json!({ "participant_attributes": { "team": "blue" } }),    201, ""),
        ("role",                 &open,  json!({ "participant_attributes": { "role": "host" } }),    403, "field_not_allowed"),
        ("guest",                &open,  json!({ "participant_attributes": { "GUEST": "false" } }),  403, "field_not_allowed"),
        ("an agent",             &open,  json!({ "room_config": { "agents": [{ "agent_name": "a" }] } }), 403, "field_not_allowed"),
        ("the room's settings",  &open,  json!({ "room_config": { "max_participants": 2 } }),        403, "field_not_allowed"),
        ("egress",               &open,  json!({ "room_config": { "egress": { "room": {} } } }),     403, "field_not_allowed"),
        ("a wrong field",        &open,  json!({ "room": "closed" }),                                400, "invalid_request"),
    ];
    for (row, invitation, body, status, code) in rows {
        let reply = enter(&app, invitation, &body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{row}: {}",
            reply.text()
        );
    }
    assert_eq!(enter(&app, &named, &json!({})).await.participant()["name"], "Gra\u{e7}e");
    assert_eq!(enter(&app, &open, &json!({})).await.participant()["name"], "Guest");
    let strict = env().with("CLIENT_FIELDS", "room_name").app();
    for body in
        [json!({ "participant_metadata": "x" }), json!({ "participant_attributes": { "a": "b" } })]
    {
        enter(&strict, &open, &body).await.expect_problem("strict", 403, "field_not_allowed");
    }
}

#[tokio::test]
async fn invitation_opens_no_other_route() {
    let app = env().with("LIVEBLOCKS_SECRET_KEY", "sk_dev_x").app();
    let invitation = invitation(&app, &json!({})).await;
    for (method, path) in [
        ("POST", "/v1/rooms/lobby/invitations"),
        ("POST", "/v1/rooms/lobby/participants/ada/mute"),
        ("DELETE", "/v1/rooms/lobby/participants/ada"),
        ("PUT", "/v1/rooms/lobby/participants/ada/role"),
        ("PUT", "/v1/rooms/lobby/hand"),
        ("GET", "/v1/rooms/lobby/participants"),
        ("DELETE", "/v1/rooms/lobby"),
        ("POST", "/api/liveblocks-auth"),
    ] {
        let body = json!({ "role": "viewer", "seconds": 60 });
        let call = Call::bare().at(method, path).bearer(&invitation).json(&body);
        let reply = call.header(GUEST, BROWSER).send(&app).await;
        assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text());
    }
}

/// LiveKit's clients request another token if one has less than a minute left.
#[tokio::test]
async fn guests_token_lasts_at_most_a_minute_longer_than_the_invitation() {
    let app = env().app();
    let long = invitation(&app, &json!({ "seconds": 604_800 })).await;
    let short = invitation(&app, &json!({ "seconds": 60 })).await;
    let rows = [
        ("the usual lifetime", &long, 0, Some(600)),
        ("near the end", &long, 604_800 - 100, Some(160)),
        ("the last second", &long, 604_799, Some(61)),
        ("expired", &long, 604_800, None),
        ("the first second", &short, 0, Some(120)),
        ("the last second of a minute", &short, 59, Some(61)),
        ("expired after a minute", &short, 60, None),
        ("long ago", &short, 86_400, None),
    ];
    for (row, invitation, second, ttl) in rows {
        let now = NOW + second;
        let reply = Call::bare().bearer(invitation).send_at(&app, at(now)).await;
        if let Some(ttl) = ttl {
            assert_eq!(reply.participant()["exp"], now + ttl, "{row}");
        } else {
            reply.expect_problem(row, 401, "invitation_expired");
        }
    }
}

#[tokio::test]
async fn invitation_with_another_header_is_rejected() {
    let app = env().app();
    let good = invitation(&app, &json!({})).await;
    enter(&app, &resigned(&good, &json!({}), &json!({})), &json!({}))
        .await
        .expect_issued("as it is");
    let jwk = Key::stranger().jwk();
    #[rustfmt::skip]
    let rows = [
        ("no alg",          json!({ "alg": null })),
        ("none",            json!({ "alg": "none" })),
        ("another HMAC",    json!({ "alg": "HS384" })),
        ("RSA",             json!({ "alg": "RS256" })),
        ("small letters",   json!({ "alg": "hs256" })),
        ("alg a list",      json!({ "alg": ["HS256"] })),
        ("no typ",          json!({ "typ": null })),
        ("JWT",             json!({ "typ": "JWT" })),
        ("an access token", json!({ "typ": "at+jwt" })),
        ("typ in full",     json!({ "typ": "application/roomkey-invitation+jwt" })),
        ("typ in capitals", json!({ "typ": "ROOMKEY-INVITATION+JWT" })),
        ("typ a list",      json!({ "typ": ["roomkey-invitation+jwt"] })),
        ("crit",            json!({ "crit": ["exp"] })),
        ("an empty crit",   json!({ "crit": [] })),
        ("a key",           json!({ "jwk": jwk })),
        ("a key's place",   json!({ "jku": "https://evil.example/jwks" })),
        ("kid",             json!({ "kid": "rsa" })),
        ("zip",             json!({ "zip": "DEF" })),
        ("cty",             json!({ "cty": "JWT" })),
        ("b64",             json!({ "b64": false })),
        ("an unknown one",  json!({ "x": 1 })),
    ];
    for (row, header) in rows {
        let reply = enter(&app, &resigned(&good, &header, &json!({})), &json!({})).await;
        reply.expect_problem(row, 401, "invalid_token");
    }
}

#[tokio::test]
async fn invitation_with_other_claims_is_rejected() {
    let app = env().app();
    let good = invitation(&app, &json!({})).await;
    #[rustfmt::skip]
    let rows = [
        ("no exp",               json!({ "exp": null })),
        ("exp a text",           json!({ "exp": (NOW + 600).to_string() })),
        ("exp with a fraction",  json!({ "exp": 1_767_226_000.5 })),
        ("exp negative",         json!({ "exp": -1 })),
        ("exp in milliseconds",  json!({ "exp": (NOW + 600) * 1000 })),
        ("exp after seven days", json!({ "exp": NOW + 604_801 })),
        ("no room",              json!({ "room": null })),
        ("an empty room",        json!({ "room": "" })),
        ("an invisible room",    json!({ "room": "\u{200b}" })),
        ("a list of rooms",      json!({ "room": ["lobby"] })),
        ("no role",              json!({ "role": null })),
        ("an empty role",        json!({ "role": "" })),
        ("a list of roles",      json!({ "role": ["viewer"] })),
        ("no jti",               json!({ "jti": null })),
        ("jti a number",         json!({ "jti": 1 })),
        ("a name too long",      json!({ "name": text(65) })),
        ("a name with a break",  json!({ "name": "a\nb" })),
        ("name a list",          json!({ "name": ["a"] })),
        ("uses",                 json!({ "uses": 3 })),
        ("a waiting room",       json!({ "lobby": true })),
        ("a claim of tomorrow",  json!({ "devices": 1 })),
        ("claims of a person",   json!({ "sub": "ada" })),
    ];
    for (row, change) in rows {
        let reply = enter(&app, &resigned(&good, &json!({}), &change), &json!({})).await;
        reply.expect_problem(row, 401, "invalid_token");
    }
    let week = resigned(&good, &json!({}), &json!({ "exp": NOW + 604_800 }));
    enter(&app, &week, &json!({})).await.expect_issued("seven days");
    for role in ["host", "moderator", "nobody"] {
        let changed = resigned(&good, &json!({}), &json!({ "role": role }));
        enter(&app, &changed, &json!({})).await.expect_problem(role, 403, "role_not_allowed");
    }
}

/// With state, these claims restrict the invitation. One that cannot be read must not be ignored.
#[tokio::test]
async fn restriction_of_another_form_is_rejected() {
    let app = env().with("STATE_TABLE", "memory").app();
    let good = invitation(&app, &json!({})).await;
    #[rustfmt::skip]
    let rows = [
        ("no uses",            json!({ "uses": 0 })),
        ("negative uses",      json!({ "uses": -1 })),
        ("a part of a use",    json!({ "uses": 1.5 })),
        ("uses as a text",     json!({ "uses": "3" })),
        ("uses as a list",     json!({ "uses": [3] })),
        ("uses as a boolean",  json!({ "uses": true })),
        ("no waiting room",    json!({ "lobby": false })),
        ("another word",       json!({ "lobby": "until_host" })),
        ("an empty text",      json!({ "lobby": "" })),
        ("lobby as a number",  json!({ "lobby": 1 })),
        ("lobby as a list",    json!({ "lobby": [true] })),
    ];
    for (row, change) in rows {
        let reply = enter(&app, &resigned(&good, &json!({}), &change), &json!({})).await;
        reply.expect_problem(row, 401, "invalid_token");
    }
    let one = resigned(&good, &json!({}), &json!({ "uses": 1 }));
    enter(&app, &one, &json!({})).await.expect_issued("one use");
    let waits = resigned(&good, &json!({}), &json!({ "lobby": true }));
    enter(&app, &waits, &json!({})).await.expect_problem("a wait", 403, "awaiting_admission");
}

#[tokio::test]
async fn altered_or_foreign_invitation_is_rejected() {
    let app = env().app();
    let good = invitation(&app, &json!({})).await;
    let foreign = env().with("INVITATION_SECRET", "another deployment's secret, long enough").app();
    let foreign = invitation(&foreign, &json!({})).await;
    let parts: Vec<_> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let other =
        encode_part(&merge(decode_part(&good, 1), &json!({ "role": "viewer" })).to_string());
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let claims_text = decode_part(&good, 1).to_string();
    let header_text = decode_part(&good, 0).to_string();
    let twice = |text: &str, field: &str| format!("{{{field},{}", &text[1..]);
    let by = |secret| with_hmac(&format!("{header}.{payload}"), secret, Algorithm::HS256);
    #[rustfmt::skip]
    let rows = [
        ("another deployment's",  foreign),
        ("LiveKit's secret",      by(API_SECRET)),
        ("no secret",             by("")),
        ("other claims",          format!("{header}.{other}.{signature}")),
        ("one bit off",           format!("{header}.{payload}.{flipped}{}", &signature[1..])),
        ("cut off",               format!("{header}.{payload}.")),
        ("cut short",             good[..good.len() - 4].to_owned()),
        ("two parts",             format!("{header}.{payload}")),
        ("four parts",            format!("{good}.{signature}")),
        ("padded",                format!("{good}=")),
        ("another HMAC's length", with_hmac(&format!("{header}.{payload}"), SECRET, Algorithm::HS384)),
        ("exp twice",             sign(&header_text, &twice(&claims_text, &format!("\"exp\":{}", NOW + 700)))),
        ("role twice",            sign(&header_text, &twice(&claims_text, "\"r\\u006fle\":\"viewer\""))),
        ("typ twice",             sign(&twice(&header_text, "\"typ\":\"JWT\""), &claims_text)),
        ("claims a list",         sign(&header_text, &format!("[{claims_text}]"))),
        ("no claims",             sign(&header_text, "")),
        ("text after claims",     sign(&header_text, &format!("{claims_text}{{}}"))),
        ("too long",              sign(&header_text, &format!("{}{claims_text}", " ".repeat(500)))),
    ];
    for (row, invitation) in rows {
        enter(&app, &invitation, &json!({})).await.expect_problem(row, 401, "invalid_token");
    }
}

/// Neither verifier accepts a token of the other.
#[tokio::test]
async fn tokens_of_the_other_kind_are_rejected() {
    let app = env().app();
    let good = invitation(&app, &json!({})).await;
    let participant = enter(&app, &good, &json!({})).await.participant_token();
    let key = Key::rsa();
    let typ = json!({ "typ": "roomkey-invitation+jwt" });
    let invitation_by_issuer = key.sign(&merge(key.header(), &typ), &decode_part(&good, 1));
    let access_token = key.sign(&merge(key.header(), &typ), &claims());
    let ec = Key::p256();
    let short = ec.sign(&json!({ "alg": "ES256", "typ": typ["typ"] }), &decode_part(&good, 1));
    let as_invitation = with_hmac(
        &format!(
            "{}.{}",
            encode_part(&decode_part(&good, 0).to_string()),
            participant.split('.').nth(1).unwrap()
        ),
        API_SECRET,
        Algorithm::HS256,
    );
    for (row, token) in [
        ("a participant token", participant),
        ("a participant token of that type", as_invitation),
        ("the issuer's key", invitation_by_issuer),
        ("a short token of another key", short),
        ("an access token of that type", access_token),
    ] {
        enter(&app, &token, &json!({})).await.expect_problem(row, 401, "invalid_token");
    }
    let secret =
        livekit_api::access_token::TokenVerifier::with_api_key(crate::support::API_KEY, SECRET);
    assert!(secret.verify(&good).is_err(), "an invitation as LiveKit's token");
    let shared = Env::offline()
        .without("OIDC_JWKS")
        .with("OIDC_ALGORITHMS", "HS256")
        .with("OIDC_HS256_SECRET", SECRET)
        .app();
    let claims = resigned(&good, &json!({}), &claims());
    for invitation in [&good, &claims] {
        let reply = enter(&shared, invitation, &json!({})).await;
        reply.expect_problem("a secret shared with an issuer", 401, "invalid_token");
    }
}

#[tokio::test]
async fn no_persons_identity_starts_like_a_guests() {
    let sub = |env: Env| env.with("PARTICIPANT_IDENTITY", "sub");
    let devices = |env: Env| sub(env).with("PARTICIPANT_DEVICES", "true");
    let person = Env::offline;
    let rows = [
        ("a subject", sub(person()), "guest:x", 401),
        ("the bare start", sub(person()), "guest:", 401),
        ("another start", sub(person()), "guests:x", 201),
        ("no colon", sub(person()), "guest", 201),
        ("not at the start", sub(person()), "a guest:x", 201),
        ("an escaped colon", devices(person()), "guest:x", 201),
        ("a person whose devices were guests", devices(person()), "guest", 401),
        ("another person with devices", devices(person()), "guests", 201),
    ];
    for (row, env, subject, status) in rows {
        let reply = Call::bare().bearer(&token(&json!({ "sub": subject }))).send(&env.app()).await;
        assert_eq!(reply.status, status, "{row}: {}", reply.text());
        if status == 401 {
            reply.expect_problem(row, 401, "invalid_token");
            assert!(reply.text().contains("must not start with guest:"), "{}", reply.text());
        } else {
            let identity = reply.participant()["sub"].as_str().unwrap().to_owned();
            assert!(!identity.starts_with("guest:"), "{identity}");
        }
    }
}

#[tokio::test]
async fn guests_are_limited_and_failed_invitations_count_tenfold() {
    let app = env().with("TOKENS_PER_MINUTE", "60").app();
    let open = invitation(&app, &json!({})).await;
    let other = invitation(&app, &json!({})).await;
    for number in 0..60 {
        enter(&app, &open, &json!({})).await.expect_issued(&number.to_string());
    }
    let refused = enter(&app, &open, &json!({})).await;
    refused.expect_problem("one too many", 429, "too_many_requests");
    for number in 0..60 {
        Call::bare().bearer(&open).send(&app).await.expect_issued(&format!("no secret {number}"));
    }
    let refused = Call::bare().bearer(&open).send(&app).await;
    refused.expect_problem("one invitation without secrets", 429, "too_many_requests");
    enter(&app, &other, &json!({})).await.expect_issued("another invitation");
    let altered = format!("{}AAAA", &open[..open.len() - 4]);
    for _ in 0..6 {
        enter(&app, &altered, &json!({})).await.expect_problem("altered", 401, "invalid_token");
    }
    let refused = enter(&app, &altered, &json!({})).await;
    refused.expect_problem("altered again", 429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), Some("10"));
    Call::token().json(&json!({ "room_name": "lobby" })).send(&app).await.expect_issued("a person");
    assert_eq!(invite(&app, &json!({})).await.status, 201);
}
