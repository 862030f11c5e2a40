//! The doctor: its report about a token, and the data that it never prints. `cargo test` builds it
//! beside the tests.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{
    Env, FakeApp, FakeDirectory, FakeIdp, Key, Route, Say, extend, key_set, merge, today,
};

/// A person whose data no output may contain.
const EMAIL: &str = "ada.quux@private.example";
const NAME: &str = "Ada Quuxworth";
const PICTURE: &str = "https://img.private.example/quux.png";

/// The doctor's result for a token.
struct Finding {
    status: Option<i32>,
    output: String,
}

impl Finding {
    /// The failed checks of a report for scripts.
    #[track_caller]
    fn failed(&self) -> Vec<String> {
        let report: Value = serde_json::from_str(&self.output).expect(&self.output);
        let findings = report["findings"].as_array().unwrap();
        for finding in findings {
            for member in ["check", "outcome", "detail"] {
                assert!(finding[member].is_string(), "{member} in {finding}");
            }
        }
        let failed = findings.iter().filter(|finding| finding["outcome"] == "fail");
        let failed: Vec<_> =
            failed.map(|finding| finding["check"].as_str().unwrap().to_owned()).collect();
        let is_open = findings.iter().any(|finding| finding["outcome"] == "open");
        let (verdict, status) = match (failed.is_empty(), is_open) {
            (false, _) => ("rejected", 1),
            (true, true) => ("open", 2),
            (true, false) => ("accepted", 0),
        };
        assert_eq!((&report["verdict"], self.status), (&json!(verdict), Some(status)), "{report}");
        failed
    }

    /// The skipped checks of a report for scripts in which none failed.
    #[track_caller]
    fn open(&self) -> Vec<String> {
        assert_eq!(self.failed(), Vec::<String>::new(), "{}", self.output);
        let report: Value = serde_json::from_str(&self.output).expect(&self.output);
        let findings = report["findings"].as_array().unwrap().iter();
        let open = findings.filter(|finding| finding["outcome"] == "open");
        open.map(|finding| finding["check"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs the doctor with `env` and nothing else; `input` is its standard input.
async fn doctor(env: &Env, arguments: &[&str], input: impl AsRef<[u8]>) -> Finding {
    let directory = PathBuf::from(env!("CARGO_BIN_EXE_bootstrap"));
    let path = directory.parent().unwrap().join("examples/doctor");
    assert!(path.exists(), "no {}: `cargo build --example doctor` makes it", path.display());
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .envs(env.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // It need not read all of it, or any.
    let _closed = child.stdin.take().unwrap().write_all(input.as_ref()).await;
    let output = timeout(Duration::from_secs(20), child.wait_with_output()).await;
    let output = output.expect("it ends by itself").unwrap();
    let text = [output.stdout, output.stderr].concat();
    Finding { status: output.status.code(), output: String::from_utf8_lossy(&text).into_owned() }
}

/// Asserts that the output contains neither the token nor personal data.
#[track_caller]
fn tells_nothing(output: &str, token: &str, row: &str) {
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!output.contains(part), "{row}: a part of the token in {output}");
    }
    for word in [EMAIL, NAME, PICTURE, "quux", "Quux"] {
        assert!(!output.contains(word), "{row}: {word} in {output}");
    }
}

fn person() -> Value {
    let who = json!({ "email": EMAIL, "email_verified": true, "name": NAME, "picture": PICTURE });
    extend(who, &today())
}

#[tokio::test]
async fn doctor_reports_an_acceptable_token() {
    let idp = FakeIdp::start();
    let token = idp.token(&person());
    for input in [token.clone(), format!("{token}\n"), format!("Bearer {token}\r\n")] {
        let found = doctor(&Env::online(&idp), &["--json"], &input).await;
        assert_eq!(found.open(), Vec::<String>::new(), "{}", found.output);
        tells_nothing(&found.output, &token, "json");
    }
    let found = doctor(&Env::online(&idp), &[], &token).await;
    assert_eq!(found.status, Some(0), "{}", found.output);
    tells_nothing(&found.output, &token, "text");
    assert!(!found.output.contains('\u{1b}'), "no colors without a terminal: {}", found.output);
    for word in ["would be accepted", "signature", "audience", "expiry", "policy", "participant"] {
        assert!(found.output.contains(word), "no {word} in {}", found.output);
    }
}

#[tokio::test]
async fn doctor_names_every_failed_check() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp);
    let with = |change: Value| idp.token(&extend(person(), &change));
    let stranger = Key::stranger();
    let mut unknown = Key::rsa_next();
    unknown.kid = "gone";
    let header = |change: Value| {
        let claims = merge(crate::support::claims(), &person());
        let key = Key::rsa();
        key.sign(&merge(key.header(), &change), &merge(claims, &json!({ "iss": idp.issuer() })))
    };
    let past = today()["exp"].as_u64().unwrap() - 4_000;
    #[rustfmt::skip]
    let rows = [
        ("no token",            String::new(),                                        vec!["token"]),
        ("blanks",              " \n".to_owned(),                                     vec!["token"]),
        ("opaque",              "dGhpcyBpcyBvcGFxdWU".to_owned(),                     vec!["header"]),
        ("alg none",            header(json!({ "alg": "none" })),                     vec!["header"]),
        ("crit",                header(json!({ "crit": ["x"] })),                     vec!["header"]),
        ("an unknown key",      idp.token_by(&unknown, &person()),                    vec!["key"]),
        ("a stranger's",        idp.token_by(&stranger, &person()),                   vec!["signature"]),
        ("another issuer",      with(json!({ "iss": "https://x.example" })),          vec!["issuer"]),
        ("another audience",    with(json!({ "aud": "shop" })),                       vec!["audience"]),
        ("expired",             with(json!({ "exp": past })),                         vec!["expiry"]),
        ("not yet",             with(json!({ "nbf": past + 8_000 })),                 vec!["not before, issued at"]),
        ("no subject",          with(json!({ "sub": null })),                         vec!["subject"]),
        ("two things",          with(json!({ "aud": "shop", "exp": past })),          vec!["audience", "expiry"]),
        ("an unverified email", with(json!({ "email_verified": false })),             vec!["email"]),
        ("an empty email",      with(json!({ "email": "" })),                         vec!["email"]),
    ];
    for (name, token, expected) in rows {
        let found = doctor(&env, &["--json"], &token).await;
        assert_eq!(found.failed(), expected, "{name}: {}", found.output);
        tells_nothing(&found.output, &token, name);
        let found = doctor(&env, &[], &token).await;
        assert_eq!(found.status, Some(1), "{name}: {}", found.output);
        assert!(found.output.contains("would be rejected"), "{name}: {}", found.output);
        tells_nothing(&found.output, &token, name);
    }
    let found = doctor(&env, &["--json"], b"\xff\xfe").await;
    assert_eq!(found.failed(), ["token"]);
    let parties = env.without("OIDC_AUDIENCE").with("OIDC_AUTHORIZED_PARTIES", "web");
    let found = doctor(&parties, &["--json"], with(json!({ "azp": "shop", "nonce": "n" }))).await;
    assert_eq!(found.failed(), ["kind of token", "authorized party"]);
}

#[tokio::test]
async fn doctor_sends_the_token_to_no_upstream() {
    let idp = FakeIdp::start();
    let directory = FakeDirectory::start();
    let bare = extend(
        person(),
        &json!({ "email": null, "email_verified": null, "name": null, "picture": null }),
    );
    let token = idp.token(&bare);
    let env = Env::online(&idp)
        .with("PROFILE_SOURCE", "claims,userinfo,clerk")
        .with("CLERK_API_URL", &directory.url())
        .with("CLERK_SECRET_KEY", FakeDirectory::KEY);
    let found = doctor(&env, &["--json"], &token).await;
    assert_eq!(found.open(), ["email and name", "email and name"], "{}", found.output);
    for word in ["UserInfo", "Clerk"] {
        assert!(found.output.contains(word), "no {word} in {}", found.output);
    }
    assert!(!found.output.contains(FakeDirectory::KEY), "{}", found.output);
    assert_eq!((idp.counts(), directory.count()), ((1, 1, 0), 0));
    assert_eq!(idp.strays(), Vec::<String>::new());
    let signature = token.rsplit('.').next().unwrap();
    for route in [Route::Discovery, Route::Jwks] {
        let asked = format!("{:?}", idp.asked(route));
        assert!(!asked.contains(signature) && !asked.contains("authorization"), "{asked}");
    }
    let only_claims = env.with("PROFILE_SOURCE", "claims");
    let found = doctor(&only_claims, &["--json"], &token).await;
    assert_eq!(found.failed(), ["email"], "{}", found.output);
    assert!(found.output.contains("404 email_not_set"), "{}", found.output);
}

#[tokio::test]
async fn doctor_prints_the_question_to_the_app_and_asks_it_on_request() {
    let app = FakeApp::saying(Say::ok("{\"role\":\"host\"}"));
    let policy = format!(
        "[[allow]]\nrooms = [\"team-*\"]\nrole = \"viewer\"\nask = \"members\"\n[ask.members]\n\
         url = \"{}/{{room}}\"\nforward = \"bearer\"\nrole_from = \"role\"\nroles = [\"host\"]\n",
        app.url()
    );
    let env = Env::offline().with("POLICY", &policy);
    let key = Key::rsa();
    let token = key.sign(&key.header(), &merge(crate::support::claims(), &today()));
    let arguments = ["--json", "--room", "team-a/b", "--ask"];
    let quiet = doctor(&env, &arguments[..3], &token).await;
    assert_eq!(quiet.open(), ["app"]);
    let question = format!("the rule asks members: GET {}/team-a%2Fb", app.url());
    assert!(quiet.output.contains(&question), "{}", quiet.output);
    assert_eq!(app.count(), 0, "the token is not sent");
    let fresh = doctor(&env, &["--json"], &token).await;
    assert!(fresh.output.contains("/team-room-000"), "{}", fresh.output);
    let asked = doctor(&env, &arguments, &token).await;
    assert_eq!(asked.open(), Vec::<String>::new());
    assert!(asked.output.contains("yes: status 200, role host"), "{}", asked.output);
    assert!(asked.output.contains("host in the room, by the rule in line 1"), "{}", asked.output);
    assert!(app.heads()[0].contains(&format!("authorization: Bearer {token}\r\n")));
    for (status, answer) in [(404, "no: status 404"), (500, "no usable answer: status 500")] {
        app.say(Say::status(status, ""));
        let refused = doctor(&env, &arguments, &token).await;
        assert_eq!(refused.failed(), [if status == 404 { "app" } else { "upstream" }], "{status}");
        assert!(refused.output.contains(answer), "{}", refused.output);
    }
}

#[tokio::test]
async fn doctor_reports_an_unavailable_issuer() {
    let idp = FakeIdp::start();
    idp.down();
    let found = doctor(&Env::online(&idp), &["--json"], idp.token(&person())).await;
    assert_eq!(found.failed(), ["keys"], "{}", found.output);
}

#[tokio::test]
async fn doctor_reports_invalid_variables_without_their_values() {
    let secret = "a-secret-of-31-bytes-is-short!!";
    let env = Env::offline()
        .without("OIDC_AUDIENCE")
        .with("CLOCK_SKEW_SECONDS", "soon")
        .with("LIVEKIT_API_SECRET", secret);
    let found = doctor(&env, &["--json"], "").await;
    assert_eq!(found.failed(), ["configuration"]);
    for name in ["OIDC_AUDIENCE", "CLOCK_SKEW_SECONDS", "LIVEKIT_API_SECRET"] {
        assert!(found.output.contains(name), "no {name} in {}", found.output);
    }
    assert!(!found.output.contains(secret) && !found.output.contains("soon"), "{}", found.output);
    let found = doctor(&Env::nothing(), &["--json"], "").await;
    assert_eq!(found.failed(), ["configuration"]);
    let found = doctor(&Env::offline(), &["--yaml"], "").await;
    assert!(found.status.is_some_and(|status| status != 0), "{}", found.output);
}

#[tokio::test]
async fn doctor_selects_the_issuer_of_the_token() {
    let env = Env::offline()
        .without("OIDC_AUDIENCE")
        .without("OIDC_JWKS")
        .without("PROFILE_SOURCE")
        .with("OIDC_ISSUER", "app=https://app.idp.example,staff=https://staff.idp.example")
        .with("OIDC_APP_JWKS", &key_set(&[&Key::rsa()]).to_string())
        .with("OIDC_APP_AUDIENCE", "app-api")
        .with("OIDC_APP_PROFILE_SOURCE", "claims")
        .with("OIDC_STAFF_JWKS", &key_set(&[&Key::rsa_next()]).to_string())
        .with("OIDC_STAFF_AUDIENCE", "staff-api")
        .with("OIDC_STAFF_PROFILE_SOURCE", "claims");
    let key = Key::rsa();
    let token = |iss: &str, aud: &str| {
        let claims = merge(crate::support::claims(), &person());
        key.sign(&key.header(), &merge(claims, &json!({ "iss": iss, "aud": aud })))
    };
    for (iss, aud, expected) in [
        ("https://app.idp.example", "app-api", vec![]),
        ("https://app.idp.example", "staff-api", vec!["audience"]),
        ("https://staff.idp.example", "staff-api", vec!["key"]),
        ("https://x.idp.example", "app-api", vec!["issuer"]),
    ] {
        let token = token(iss, aud);
        let found = doctor(&env, &["--json"], &token).await;
        assert_eq!(found.failed(), expected, "{iss} {aud}: {}", found.output);
        tells_nothing(&found.output, &token, iss);
    }
}

#[tokio::test]
async fn doctor_reports_the_decision_of_the_policy() {
    let policy = r#"
        [[allow]]
        when = { groups = "board" }
        rooms = ["board:*"]
        role = "host"
        agents = ["notes"]

        [[allow]]
        when = { groups = ["staff", "board"] }
        rooms = ["lobby", "{org_id}"]
        role = "viewer"
    "#;
    let env = Env::offline().with("POLICY", policy);
    let token = |change: Value| {
        let claims = merge(crate::support::claims(), &person());
        Key::rsa().sign(&Key::rsa().header(), &merge(claims, &change))
    };
    let board = token(json!({ "groups": ["board"] }));
    let staff = token(json!({ "groups": ["staff"], "org_id": "quux" }));
    let nobody = token(json!({ "groups": ["guests"] }));
    #[rustfmt::skip]
    let rows: [(&str, &String, &[&str], &str); 7] = [
        ("a new room",       &board,  &[],                       "host in a new room, by the rule in line 2"),
        ("a room",           &board,  &["--room", "board:june"], "host in the room, by the rule in line 2"),
        ("its agents",       &board,  &[],                       "host in board:*; agents: notes, the default agent"),
        ("no new room",      &staff,  &[],                       "no rule of the policy allows the room"),
        ("rooms as spelled", &staff,  &[],                       "line 8 applies: viewer in lobby, {org_id}"),
        ("another's room",   &staff,  &["--room", "board:june"], "403 room_not_allowed"),
        ("no rule",          &nobody, &[],                       "403 room_not_allowed"),
    ];
    for (row, token, arguments, said) in rows {
        let found = doctor(&env, &[&["--json"], arguments].concat(), token).await;
        let failed = if said.starts_with("403") { vec!["policy"] } else { vec![] };
        assert_eq!(found.failed(), failed, "{row}: {}", found.output);
        if failed.is_empty() {
            let is_answered = said.starts_with("host");
            let open: &[&str] = if is_answered { &[] } else { &["policy, without a room"] };
            assert_eq!(found.open(), open, "{row}");
        }
        assert!(found.output.contains(said), "{row}: no {said} in {}", found.output);
        tells_nothing(&found.output, token, row);
    }
    for arguments in [&["--room"][..], &["--room", ""], &["--room", "a", "--room", "b"]] {
        let found = doctor(&env, arguments, &board).await;
        assert!(found.status != Some(0) && found.output.contains("usage"), "{arguments:?}");
    }
}

#[tokio::test]
async fn doctor_recognizes_the_provider_of_the_token() {
    let token = |claims: Value| {
        let key = Key::rsa();
        key.sign(&key.header(), &merge(claims, &person()))
    };
    let auth0 = json!({ "iss": "https://tenant.eu.auth0.com/", "aud": "api", "sub": "auth0|1" });
    let realm = json!({
        "iss": "https://sso.example/realms/main",
        "aud": "account",
        "realm_access": { "roles": ["host"] },
    });
    let clerk =
        json!({ "iss": "https://intent-boa-99.clerk.accounts.dev", "azp": "https://app.example" });
    #[rustfmt::skip]
    let rows: [(Value, &[&str]); 3] = [
        (auth0, &["preset auth0", "https://tenant.eu.auth0.com/", "OIDC_AUDIENCE must be set", "LIVEKIT_URL"]),
        (realm, &["preset keycloak", "realm_access.roles", "email: email", "verified: email_verified"]),
        (clerk, &["preset clerk", "LIVEKIT_URL"]),
    ];
    for (claims, words) in rows {
        let token = token(claims);
        let found = doctor(&Env::nothing(), &["--json"], &token).await;
        assert_eq!(found.failed(), ["configuration"]);
        for word in words {
            assert!(found.output.contains(word), "no {word} in {}", found.output);
        }
        tells_nothing(&found.output, &token, words[0]);
    }
}

#[tokio::test]
async fn doctor_names_what_was_pasted_instead_of_a_token() {
    let token = crate::support::token(&person());
    let accepted = doctor(&Env::offline(), &["--json"], format!("\"{token}\"")).await;
    assert_eq!(accepted.open(), Vec::<String>::new());
    let (start, end) = token.split_at(100);
    let rows = [
        (json!({ "access_token": token }).to_string(), "access_token"),
        (format!("{start}\n{end}"), "line break"),
        (format!("{start}..."), "cut"),
    ];
    for (input, word) in rows {
        let found = doctor(&Env::offline(), &["--json"], &input).await;
        assert_eq!(found.failed(), ["token"], "{}", found.output);
        assert!(found.output.contains(word), "no {word} in {}", found.output);
        tells_nothing(&found.output, &token, word);
    }
}
