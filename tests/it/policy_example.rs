//! `cargo run --example policy`: its output and exit status. `cargo test` builds it beside the
//! tests.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{FakeApp, Say};

const POLICY: &str = r#"
[[allow]]
when = { org_role = "org:admin" }
rooms = ["{org_id}:*"]
role = "host"

[[allow]]
rooms = ["{org_id}:*", "lobby"]
role = "quiet"
agents = ["notes"]
allow_room_config = { max_participants = 20 }

[roles.quiet]
can_publish_sources = ["microphone"]
ttl_seconds = 300
"#;
const ADMIN: &str = r#"{"sub":"ada","org_id":"acme","org_role":"org:admin"}"#;
const MEMBER: &str = r#"{"sub":"bob","org_id":"acme"}"#;

struct Told {
    status: i32,
    output: String,
    errors: String,
}

impl Told {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("{}", self.output))
    }
}

/// A file for one test, with this content.
fn file(name: &str, content: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the example with only `POLICY` in the environment. `input` is its standard input.
fn run(policy: &str, arguments: &[&str], input: &str) -> Told {
    let directory = PathBuf::from(env!("CARGO_BIN_EXE_bootstrap"));
    let path = directory.parent().unwrap().join("examples/policy");
    assert!(path.exists(), "no {}: `cargo build --example policy` makes it", path.display());
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("POLICY", policy)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read it.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    Told { status, output: text(output.stdout), errors: text(output.stderr) }
}

#[test]
fn policy_example_prints_the_question_and_asks_it_on_request() {
    let app = FakeApp::saying(Say::ok("{\"role\":\"host\"}"));
    let policy = |table: &str| {
        format!(
            "[[allow]]\nrooms = [\"team-*\"]\nrole = \"viewer\"\nask = \"members\"\n[ask.members]\n\
             url = \"{}/{{room}}/{{sub}}\"\nrole_from = \"role\"\nroles = [\"host\"]\n{table}",
            app.url()
        )
    };
    let url = format!("{}/team-a%2Fb/bob", app.url());
    let arguments = ["--claims", "-", "--room", "team-a/b", "--json", "--ask"];
    let quiet = run(&policy(""), &arguments[..5], MEMBER).json();
    assert_eq!(
        (&quiet["role"], &quiet["asks"]),
        (&json!("viewer"), &json!({ "url": url, "status": null }))
    );
    assert_eq!(app.count(), 0);
    let text = run(&policy(""), &arguments[..4], MEMBER).output;
    assert!(
        text.contains(&format!("asks        GET {url}\n")) && text.contains("--ask sends"),
        "{text}"
    );
    let asked = run(&policy(""), &arguments, MEMBER).json();
    assert_eq!(
        (&asked["role"], &asked["asks"]),
        (&json!("host"), &json!({ "url": url, "status": 200 }))
    );
    assert_eq!(app.count(), 1);
    app.say(Say::status(404, ""));
    let refused = run(&policy(""), &arguments, MEMBER);
    assert_eq!((refused.status, &refused.json()["code"]), (1, &json!("room_not_allowed")));
    let reason = format!("the app refuses the caller with status 404: {url}");
    assert_eq!(refused.json()["reason"], reason.as_str());
    app.say(Say::status(500, ""));
    let broken = run(&policy(""), &arguments, MEMBER);
    assert_eq!((broken.status, broken.errors.contains("503 unavailable: status 500")), (64, true));
    let before = app.count();
    let without = run(&policy("forward = \"bearer\""), &arguments, MEMBER);
    assert_eq!((without.status, without.errors.contains("ACCESS_TOKEN must be")), (64, true));
    let unsigned = run(&policy("sign = true"), &arguments, MEMBER);
    assert_eq!((unsigned.status, unsigned.errors.contains("ASK_SECRET is missing")), (64, true));
    let dots = run(&policy(""), &["--claims", "-", "--room", "team-..", "--json", "--ask"], MEMBER);
    assert_eq!(dots.status, 64, "the whole name is no segment of its own: {}", dots.output);
    assert_eq!(app.targets().last().unwrap(), "/team-../bob");
    assert_eq!(app.count() - before, 1);
}

#[test]
fn policy_example_reports_the_decision() {
    let member = run(POLICY, &["--claims", "-", "--room", "lobby", "--json"], MEMBER);
    let expected = json!({
        "allowed": true,
        "policy": "POLICY",
        "line": 7,
        "role": "quiet",
        "grants": {
            "canPublish": true, "canPublishData": true, "canSubscribe": true,
            "canUpdateOwnMetadata": false, "canSubscribeMetrics": false,
            "canManageAgentSession": false, "canPublishSources": ["microphone"],
        },
        "ttlSeconds": 300,
        "freshRoom": null,
        "roomConfig": null,
        "attributes": {},
        "rules": [
            { "line": 2, "decides": false, "obstacles": [
                "needs org_role = org:admin: the token has no org_role",
                "allows other rooms: {org_id}:*",
            ] },
            { "line": 7, "decides": true, "obstacles": [] },
        ],
    });
    assert_eq!((member.status, member.json()), (0, expected), "{}", member.errors);
    let admin = run(POLICY, &["--claims", "-"], ADMIN);
    assert_eq!(admin.status, 0, "{}", admin.errors);
    for text in ["as host", "POLICY:2\n", "acme:*", "roomAdmin", "TOKEN_TTL_SECONDS", "none"] {
        assert!(admin.output.contains(text), "no {text} in {}", admin.output);
    }
    let wish = r#"{"maxParticipants":5,"agents":[{"metadata":"m"}]}"#;
    let arguments =
        ["--claims", "-", "--room", "lobby", "--agent", "notes", "--room-config", wish, "--json"];
    let config = run(POLICY, &arguments, MEMBER).json();
    let agents = json!([{ "metadata": "m" }, { "agentName": "notes" }]);
    assert_eq!(config["roomConfig"], json!({ "maxParticipants": 5, "agents": agents }));
    assert_eq!(run(POLICY, &arguments[..9], MEMBER).status, 0);
}

#[test]
fn policy_example_reports_a_refusal_with_its_code() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str], &str); 8] = [
        ("another's room",       MEMBER, &["--room", "globex:a"],                                             "room_not_allowed"),
        ("other letters",        MEMBER, &["--room", "LOBBY"],                                                "room_not_allowed"),
        ("an agent",             MEMBER, &["--room", "lobby", "--agent", "spy"],                              "agent_not_allowed"),
        ("one of two agents",    MEMBER, &["--room", "lobby", "--agent", "notes", "--agent", "spy"],          "agent_not_allowed"),
        ("a rule that has less", ADMIN,  &["--room", "acme:a", "--agent", "notes"],                           "agent_not_allowed"),
        ("over the cap",         MEMBER, &["--room", "lobby", "--room-config", r#"{"max_participants":21}"#], "field_not_allowed"),
        ("not in the table",     MEMBER, &["--room", "lobby", "--room-config", r#"{"metadata":"m"}"#],        "field_not_allowed"),
        ("egress",               MEMBER, &["--room", "lobby", "--room-config", r#"{"egress":{"room":1}}"#],   "field_not_allowed"),
    ];
    for (row, claims, arguments, code) in rows {
        let arguments = [&["--claims", "-"], arguments].concat();
        let told = run(POLICY, &[&arguments[..], &["--json"]].concat(), claims);
        assert_eq!((told.status, &told.json()["allowed"]), (1, &json!(false)), "{row}");
        assert_eq!(told.json()["code"], code, "{row}");
        let told = run(POLICY, &arguments, claims);
        assert_eq!(told.status, 1, "{row}");
        assert!(told.output.contains(&format!("403 {code}")), "{row}: {}", told.output);
    }
    // A claim that no room's name can hold.
    let told = run(POLICY, &["--claims", "-", "--json"], r#"{"org_id":"ac\u0007me"}"#);
    assert_eq!((told.status, &told.json()["code"]), (1, &json!("room_not_allowed")));
}

#[test]
fn policy_comes_from_file_variable_or_build() {
    let text = "[[allow]]\nrooms = [\"hall\"]\nrole = \"host\"";
    let file = file("nobody.toml", text);
    let arguments = ["--claims", "-", "--room", "lobby", "--policy", &file];
    assert_eq!(run(POLICY, &arguments, MEMBER).status, 1, "the file");
    assert_eq!(run(POLICY, &arguments[..4], MEMBER).status, 0, "the variable");
    assert_eq!(run("allow = []\nx = 1", &arguments[..4], MEMBER).status, 64, "the variable");
    // Whatever that one says.
    assert_ne!(run("", &["--claims", "-", "--room", "lobby"], MEMBER).status, 64, "built in");
}

#[test]
fn faults_of_the_policy_are_reported_by_line() {
    let bad = "[[allow]]\nrooms = [\"{a}*\"]\nrole = \"boss\"\n\n[roles.x]\nhidden = true\n";
    let path = file("bad.toml", bad);
    let told = run("", &["--claims", "-", "--policy", &path], MEMBER);
    let lines: Vec<_> = told.errors.lines().collect();
    assert_eq!((told.status, lines.len()), (64, 3), "{}", told.errors);
    for (line, number) in lines.iter().zip([2, 3, 6]) {
        assert!(line.starts_with(&format!("{path}:{number}: ")), "{line}");
    }
}

#[test]
fn policy_example_rejects_wrong_arguments() {
    let absent = "/nowhere/claims.json";
    let rows: [(&str, &[&str], &str); 17] = [
        ("nothing", &[], ""),
        ("neither", &["--room", "a"], ""),
        ("both", &["--claims", "-", "--cases", absent], MEMBER),
        ("cases and a room", &["--cases", absent, "--room", "a"], ""),
        ("cases and an issuer", &["--cases", absent, "--issuer", "a"], ""),
        ("unknown", &["--claims", "-", "--rom", "a"], MEMBER),
        ("no value", &["--claims", "-", "--room"], MEMBER),
        ("twice", &["--claims", "-", "--room", "a", "--room", "b"], MEMBER),
        ("no such claims", &["--claims", absent], ""),
        ("no such cases", &["--cases", absent], ""),
        ("no such policy", &["--claims", "-", "--policy", absent], MEMBER),
        ("no JSON", &["--claims", "-"], "sub=ada"),
        ("a list", &["--claims", "-"], "[]"),
        ("twice the same claim", &["--claims", "-"], r#"{"sub":"a","sub":"b"}"#),
        ("a token", &["--claims", "-"], "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."),
        ("no room's name", &["--claims", "-", "--room", "a\nb"], MEMBER),
        ("no room_config", &["--claims", "-", "--room-config", "[1]"], MEMBER),
    ];
    for (row, arguments, input) in rows {
        let told = run(POLICY, arguments, input);
        assert_eq!((told.status, told.output.as_str()), (64, ""), "{row}");
        assert!(!told.errors.is_empty() && !told.errors.contains("eyJ"), "{row}: {}", told.errors);
    }
}

#[test]
fn policy_example_compares_cases_with_decisions() {
    let good = r#"
        [[case]]
        name = "an admin"
        claims = { org_id = "acme", org_role = "org:admin" }
        room = "acme:a"
        role = "host"
        line = 2
        grants = { roomAdmin = true }
        token_room_config = {}

        [[case]]
        name = "a member"
        claims = { org_id = "acme" }
        room_config = { max_participants = 3 }
        agents = ["notes"]
        role = "quiet"
        ttl_seconds = 300
        fresh_room = "acme:*"
        grants = { roomAdmin = false, canPublishSources = ["microphone"] }
        token_room_config = { maxParticipants = 3, agents = [{ agentName = "notes" }] }

        [[case]]
        name = "a stranger"
        claims = { org_id = "globex" }
        room = "acme:a"
        refused = "room_not_allowed"
    "#;
    let policy = file("cases-policy.toml", POLICY);
    let run_cases = |cases: &str, arguments: &[&str]| {
        let path = file("cases.toml", cases);
        run("", &[&["--cases", &path, "--policy", &policy], arguments].concat(), "")
    };
    let told = run_cases(good, &[]);
    assert_eq!((told.status, told.output.as_str()), (0, "3 of 3 cases pass\n"), "{}", told.errors);
    assert_eq!(run_cases(good, &["--json"]).json(), json!({ "cases": 3, "failed": [] }));

    #[rustfmt::skip]
    let failures = [
        ("an admin",   "role = \"host\"",            "role = \"participant\"",          "participant"),
        ("an admin",   "role = \"host\"",            "refused = \"agent_not_allowed\"", "must be refused"),
        ("an admin",   "line = 2",                   "line = 7",                        "line must be 7, is 2"),
        ("an admin",   "roomAdmin = true",           "roomAdmin = false",               "roomAdmin"),
        ("an admin",   "roomAdmin = true",           "roomadmin = false",               "roomadmin"),
        ("an admin",   "room = \"acme:a\"\n        role", "room = \"globex:a\"\n        role", "must be allowed"),
        ("an admin",   "token_room_config = {}",     "token_room_config = { a = 1 }",   "token_room_config"),
        ("a member",   "ttl_seconds = 300",          "ttl_seconds = 301",               "ttl_seconds must be 301, is 300"),
        ("a member",   "fresh_room = \"acme:*\"",    "fresh_room = \"*\"",              "fresh_room"),
        ("a member",   "[\"microphone\"]",           "[\"camera\"]",                    "canPublishSources"),
        ("a member",   "maxParticipants = 3,",       "",                                "token_room_config"),
        ("a stranger", "claims = { org_id = \"globex\" }", "claims = { org_id = \"acme\" }", "must be refused with room_not_allowed"),
        ("a stranger", "room_not_allowed",           "agent_not_allowed",               "decided: refused with room_not_allowed"),
    ];
    for (name, from, to, difference) in failures {
        let mut cases = good.replacen(from, to, 1);
        if to.starts_with("refused") {
            for extra in ["line = 2", "grants = { roomAdmin = true }", "token_room_config = {}"] {
                cases = cases.replacen(extra, "", 1);
            }
        }
        assert_ne!(cases, good, "{from}");
        let told = run_cases(&cases, &[]);
        assert_eq!(told.status, 1, "{from} → {to}: {}{}", told.output, told.errors);
        for text in [name, difference, "2 of 3 cases pass"] {
            assert!(told.output.contains(text), "{from} → {to}: no {text} in {}", told.output);
        }
        let told = run_cases(&cases, &["--json"]);
        assert_eq!(told.status, 1);
        assert_eq!(told.json()["failed"][0]["name"], name);
        assert_eq!(told.json()["failed"].as_array().unwrap().len(), 1);
    }

    #[rustfmt::skip]
    let faults = [
        ("room = \"acme:a\"",               "rom = \"acme:a\"",            5,  "unknown field"),
        ("name = \"a member\"",             "name = \"an admin\"",         11, "another case"),
        ("role = \"quiet\"",                "",                            11, "role or refused"),
        ("refused = \"room_not_allowed\"",  "refused = \"not_allowed\"",   26, "unknown variant"),
        ("refused = \"room_not_allowed\"",  "refused = \"room_not_allowed\"\nline = 2", 22, "no field about the token"),
        ("refused = \"room_not_allowed\"",  "refused = \"room_not_allowed\"\nrole = \"host\"", 22, "role or refused"),
        ("max_participants = 3",            "max_participants = \"many\"", 11, "whole number"),
        ("claims = { org_id = \"globex\" }", "",                           22, "missing field `claims`"),
    ];
    for (from, to, line, reason) in faults {
        let told = run_cases(&good.replacen(from, to, 1), &[]);
        assert_eq!((told.status, told.output.as_str()), (64, ""), "{from} → {to}");
        let place = format!("cases.toml:{line}: ");
        assert!(told.errors.contains(&place), "{from} → {to}: no {place} in {}", told.errors);
        assert!(told.errors.contains(reason), "{from} → {to}: {}", told.errors);
    }
    let told = run_cases("", &[]);
    assert_eq!(told.status, 64, "a file without a case checks nothing");
}

/// Each rule, the arguments, the claims, and the line about the rule in the report.
#[test]
fn policy_example_explains_every_rule() {
    let policy = r#"
[[allow]]
issuer = "staff"
when = { org_role = ["org:admin", "org:owner"], "o.per" = { word = "calls:join" }, level = 3 }
rooms = ["{org_id}:*"]
role = "host"
attributes = { plan = "{plan}" }

[[allow]]
rooms = ["{groups}/*", "lobby"]
role = "participant"

[[allow]]
rooms = ["lobby"]
role = "viewer"
"#;
    let file = file("explained.toml", policy);
    #[rustfmt::skip]
    let rows: &[(&str, &[&str], &[&str])] = &[
        (r#"{"sub":"ada"}"#, &["--room", "lobby"], &[
            ":2 needs issuer = staff: the token is from another issuer",
            "needs org_role = org:admin or org:owner: the token has no org_role",
            "needs o.per = the word calls:join: the token has no o.per",
            "needs level = 3: the token has no level",
            "needs {org_id} for rooms: org_id is not in the token, or empty",
            "needs {plan} for attributes: plan is not in the token, or empty",
            "allows other rooms: {org_id}:*",
            ":9 needs {groups} for rooms: groups is not in the token, or empty",
            ":13 decides",
        ]),
        (r#"{"sub":"ada","org_role":"secret","o":{"per":"x"},"level":4,"org_id":"acme:eu","plan":["x"],"groups":["*"]}"#, &["--room", "lobby"], &[
            "needs org_role = org:admin or org:owner: org_role is another string",
            "level is another number",
            "org_id contains the text that follows it in a pattern, or ends with its start: :",
            "plan is not a string, a number or a Boolean",
            "groups contains a star or a brace",
            ":13 decides",
        ]),
        (r#"{"sub":"ada","org_role":["secret"],"level":true,"org_id":5,"groups":["red"]}"#, &["--issuer", "staff"], &[
            "needs org_role = org:admin or org:owner: org_role is a list without it",
            "level is true",
            "org_id is not a string, and not a list or object of them",
            ":9 decides",
            ":13 allows no new room: none of its patterns ends with a star",
        ]),
        (r#"{"sub":"ada","groups":["red"]}"#, &["--room", "lobby"], &[":9 decides", ":13 matches, after the rule that decides"]),
        (r#"{"sub":"ada","groups":["red"]}"#, &["--room", "blue/a"], &[
            "refused     403 room_not_allowed",
            ":9 allows other rooms: {groups}/*, lobby",
            ":13 allows other rooms: lobby",
        ]),
        (r#"{"sub":"ada"}"#, &[], &["refused     403 room_not_allowed", ":13 decides, and allows no new room"]),
    ];
    for (claims, arguments, lines) in rows {
        let arguments = [&["--claims", "-", "--policy", &file], *arguments].concat();
        let told = run("", &arguments, claims);
        for line in *lines {
            assert!(told.output.contains(line), "{claims}: no {line} in {}", told.output);
        }
        assert!(!told.output.contains("secret"), "{}", told.output);
    }
}
