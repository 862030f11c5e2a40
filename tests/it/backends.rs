//! `POST /v1/token` and `/v1/token/refresh`: the authentication of backends.

use std::time::Duration;

use crate::support::signed::{KEY, NEXT_SECRET, Signed, body, claims_of, env};
use crate::support::{Call, NOW, Reply, at};

#[tokio::test]
async fn signed_request_gets_the_response_of_rtcstack() {
    for path in ["/v1/token", "/v1/token/refresh"] {
        let reply = Signed { path: path.into(), ..Signed::new(&body()) }.send(&env()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let answer = reply.json();
        assert_eq!(answer["url"], "wss://livekit.example");
        assert_eq!(answer["expiresAt"], "2026-01-01T06:00:00Z", "21,600 s after {NOW}");
        assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
        let claims = claims_of(&reply);
        assert_eq!(claims["sub"], "user-123");
        assert_eq!(claims["name"], "Alice");
        assert_eq!(claims["exp"], NOW + 21_600);
        assert_eq!(claims["attributes"]["role"], "participant");
        assert!(claims["attributes"]["color"].as_str().unwrap().starts_with('#'));
        assert_eq!(claims["video"]["room"], "room-abc");
        assert_eq!(claims["video"]["canPublish"], true);
        assert_eq!(claims.get("metadata"), None);
    }
}

/// `exp` is in whole seconds, even if the clock is not.
#[tokio::test]
async fn response_names_the_second_in_which_the_token_expires() {
    for millis in [0, 1, 500, 999] {
        let now = at(NOW) + Duration::from_millis(millis);
        let reply = Signed::new(&body()).call().send_at(&env().app(), now).await;
        assert_eq!(reply.json()["expiresAt"], "2026-01-01T06:00:00Z", "{millis}");
        assert_eq!(claims_of(&reply)["exp"], NOW + 21_600, "{millis}");
    }
}

/// The texts of `RTCstack`'s server, and one more for a case that it accepts.
const KEY_TEXT: &str = "Missing or invalid X-Api-Key header";
const HEADER_TEXT: &str = "Missing X-RTCstack-Timestamp or X-RTCstack-Signature header";
const TIME_TEXT: &str = "Request timestamp too old or too far in the future (replay protection)";
const SIGNATURE_TEXT: &str = "Invalid X-RTCstack-Signature";

fn expect_401(reply: &Reply, row: &str, detail: &str) {
    reply.expect_problem(row, 401, "invalid_signature");
    let problem = reply.json();
    assert_eq!(problem["detail"], detail, "{row}");
    assert_eq!(problem["title"], "Unauthorized", "{row}");
}

/// A name, the request's headers, and the text of the response.
type HeaderRow<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);

#[tokio::test]
async fn signed_request_is_rejected_if_a_header_is_missing_doubled_or_invalid() {
    let good = Signed::new(&body());
    let signature = good.signature();
    let plain = |headers: &[(&'static str, &str)]| {
        let call = Call::bare().at("POST", "/v1/token");
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.body("application/json", good.body.clone())
    };
    let (key, time, name) = ("x-api-key", "x-rtcstack-timestamp", "x-rtcstack-signature");
    let now = NOW.to_string();
    let upper = signature.to_uppercase();
    let long = format!("{signature}00");
    let huge = "k".repeat(20_000);
    let rows: &[HeaderRow<'_>] = &[
        ("nothing", &[], KEY_TEXT),
        ("no key", &[(time, &now), (name, &signature)], KEY_TEXT),
        ("an unknown key", &[(key, "other"), (time, &now), (name, &signature)], KEY_TEXT),
        ("an empty key", &[(key, ""), (time, &now), (name, &signature)], KEY_TEXT),
        ("another case", &[(key, "Backend-1"), (time, &now), (name, &signature)], KEY_TEXT),
        ("two keys", &[(key, KEY), (key, KEY), (time, &now), (name, &signature)], KEY_TEXT),
        (
            "a joined key",
            &[(key, "backend-1, backend-1"), (time, &now), (name, &signature)],
            KEY_TEXT,
        ),
        ("a huge key", &[(key, &huge), (time, &now), (name, &signature)], KEY_TEXT),
        ("the other key", &[(key, "backend-2"), (time, &now), (name, &signature)], SIGNATURE_TEXT),
        ("no time", &[(key, KEY), (name, &signature)], HEADER_TEXT),
        ("no signature", &[(key, KEY), (time, &now)], HEADER_TEXT),
        ("an empty time", &[(key, KEY), (time, ""), (name, &signature)], HEADER_TEXT),
        ("two times", &[(key, KEY), (time, &now), (time, &now), (name, &signature)], HEADER_TEXT),
        (
            "two signatures",
            &[(key, KEY), (time, &now), (name, &signature), (name, &signature)],
            HEADER_TEXT,
        ),
        ("no scheme", &[(key, KEY), (time, &now), (name, &signature[7..])], SIGNATURE_TEXT),
        ("another scheme", &[(key, KEY), (time, &now), (name, &upper)], SIGNATURE_TEXT),
        ("half of it", &[(key, KEY), (time, &now), (name, &signature[..39])], SIGNATURE_TEXT),
        ("more of it", &[(key, KEY), (time, &now), (name, &long)], SIGNATURE_TEXT),
        ("an empty one", &[(key, KEY), (time, &now), (name, "sha256=")], SIGNATURE_TEXT),
        (
            "no hex",
            &[(key, KEY), (time, &now), (name, &format!("sha256={}", "+0".repeat(32)))],
            SIGNATURE_TEXT,
        ),
        (
            "zeros",
            &[(key, KEY), (time, &now), (name, &format!("sha256={}", "0".repeat(64)))],
            SIGNATURE_TEXT,
        ),
        ("a huge one", &[(key, KEY), (time, &now), (name, &huge)], SIGNATURE_TEXT),
    ];
    for (row, headers, detail) in rows {
        expect_401(&plain(headers).send(&env().app()).await, row, detail);
    }
    let digits = format!("sha256={}", signature[7..].to_uppercase());
    let upper = plain(&[(key, KEY), (time, &now), (name, &digits)]).send(&env().app()).await;
    assert_eq!(upper.status, 200, "hex in either case");
    assert_eq!(
        plain(&[(key, KEY), (time, &now), (name, &signature)]).send(&env().app()).await.status,
        200
    );
}

/// A signature that matches the header, so that only the time is invalid.
#[tokio::test]
async fn timestamp_is_a_whole_number_within_five_minutes() {
    let rows = [
        (NOW.to_string(), true),
        ((NOW - 300).to_string(), true),
        ((NOW - 301).to_string(), false),
        ((NOW + 300).to_string(), true),
        ((NOW + 301).to_string(), false),
        ("never".into(), false),
        ("NaN".into(), false),
        (format!("-{NOW}"), false),
        (format!("+{NOW}"), false),
        (format!("{NOW}.0"), false),
        (format!("{NOW}.5"), false),
        ("1.7672256e9".into(), false),
        (format!("{NOW}000"), false),
        (format!("0x{NOW:x}"), false),
        ("0".into(), false),
        ("99999999999999999999999".into(), false),
        ("2026-01-01T00:00:00Z".into(), false),
    ];
    for (timestamp, is_good) in rows {
        let reply =
            Signed { timestamp: timestamp.clone(), ..Signed::new(&body()) }.send(&env()).await;
        if is_good {
            assert_eq!(reply.status, 200, "{timestamp}: {}", reply.text());
        } else {
            expect_401(&reply, &timestamp, TIME_TEXT);
        }
    }
}

/// The signature covers the method, the path, the time and every byte of the body.
#[tokio::test]
async fn signature_is_invalid_after_any_change() {
    let signed = Signed::new(&body());
    let signature = signed.signature();
    let call = |path: &str, body: String| {
        Call::bare()
            .at("POST", path)
            .header("x-api-key", KEY)
            .header("x-rtcstack-timestamp", &NOW.to_string())
            .header("x-rtcstack-signature", &signature)
            .body("application/json", body)
    };
    let host = signed.body.replace("participant", "host");
    for (row, path, body) in [
        ("another role", "/v1/token", host),
        ("a blank more", "/v1/token", format!("{} ", signed.body)),
        ("no body", "/v1/token", String::new()),
        ("another path", "/v1/token/refresh", signed.body.clone()),
    ] {
        expect_401(&call(path, body).send(&env().app()).await, row, SIGNATURE_TEXT);
    }
    let none = Signed { body: String::new(), ..signed.clone() };
    let forged = call("/v1/token", signed.body.clone());
    let forged = {
        let _ = none.signature();
        forged
    };
    assert_eq!(forged.send(&env().app()).await.status, 200, "unchanged, it is good");
    let over_nothing =
        Signed { body: String::new(), ..signed }.call().untyped_body(body().to_string());
    expect_401(&over_nothing.send(&env().app()).await, "signed over an empty body", SIGNATURE_TEXT);
}

/// Requests behind a stage, behind a mapping, and with a query.
#[tokio::test]
async fn signed_path_is_that_of_the_url_or_of_the_route() {
    for (path, signed, is_good) in [
        ("/prod/v1/token", None, true),
        ("/prod/v1/token", Some("/v1/token"), true),
        ("/v1/token?x=1", None, true),
        ("/v1/token?x=1", Some("/v1/token"), true),
        ("/v1/token", Some("/v1/token?x=1"), false),
        ("/v1/token", Some("/v1/token/"), false),
        ("/v1/token", Some("/prod/v1/token"), false),
        ("/v1/token", Some("/token"), false),
        ("/v1/token", Some("/v1/token/refresh"), false),
    ] {
        let other_path = signed.map(str::to_owned);
        let reply =
            Signed { path: path.into(), other_path, ..Signed::new(&body()) }.send(&env()).await;
        assert_eq!(reply.status == 200, is_good, "{path} {signed:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn several_backend_keys_are_valid_at_once() {
    let next = Signed {
        headers: vec![("x-api-key", "backend-2".into())],
        secret: NEXT_SECRET,
        ..Signed::new(&body())
    };
    assert_eq!(next.send(&env()).await.status, 200);
    let crossed = Signed { secret: NEXT_SECRET, ..Signed::new(&body()) };
    expect_401(&crossed.send(&env()).await, "another's secret", SIGNATURE_TEXT);
}

#[tokio::test]
async fn signed_request_is_accepted_once_per_environment() {
    let app = env().app();
    let call = Signed::new(&body()).call();
    assert_eq!(call.clone().send(&app).await.status, 200);
    let again = "Request was received before (replay protection)";
    expect_401(&call.clone().send(&app).await, "again", again);
    expect_401(&call.clone().send_at(&app, at(NOW + 300)).await, "at the end of its window", again);
    expect_401(&call.clone().send_at(&app, at(NOW + 301)).await, "behind it", TIME_TEXT);
    let later = Signed { timestamp: (NOW + 1).to_string(), ..Signed::new(&body()) };
    assert_eq!(later.call().send(&app).await.status, 200, "a second later it is another");
    assert_eq!(
        call.send(&env().app()).await.status,
        200,
        "another environment knows nothing of it"
    );
}
