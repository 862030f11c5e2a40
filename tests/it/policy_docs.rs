//! `docs/policy.md`: its policies have the described effects, and its tables match the code.

#[path = "../../examples/policy/cases.rs"]
mod cases;
#[path = "../../examples/policy/question.rs"]
mod question;

use std::collections::BTreeSet;
use std::fs;

use roomkey::livekit::grants::VideoGrant;
use roomkey::policy::Policy;
use serde_json::{Value, json};

use cases::Cases;
use question::{Allowed, Input, PolicyAnswer, Question};

/// A fenced block, and the heading above it.
struct Block {
    heading: String,
    language: String,
    text: String,
}

/// A table, and the heading above it. Cells are without backquotes.
struct Table {
    heading: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policy.md");
    fs::read_to_string(path).expect("docs/policy.md")
}

/// Blocks and tables, in order.
fn read() -> (Vec<Block>, Vec<Table>) {
    let (mut blocks, mut tables) = (Vec::<Block>::new(), Vec::<Table>::new());
    let (mut heading, mut is_in_block, mut is_in_table) = (String::new(), false, false);
    for line in page().lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_in_block = !is_in_block;
            if is_in_block {
                let (heading, language) = (heading.clone(), language.to_owned());
                blocks.push(Block { heading, language, text: String::new() });
            }
        } else if is_in_block {
            let text = &mut blocks.last_mut().unwrap().text;
            text.push_str(line);
            text.push('\n');
        } else if let Some(title) = line.strip_prefix('#') {
            title.trim_matches(['#', ' ']).clone_into(&mut heading);
        }
        let cells: Vec<_> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        match (line.starts_with('|'), is_in_table) {
            (true, false) => {
                tables.push(Table { heading: heading.clone(), header: cells, rows: Vec::new() });
            }
            (true, true) if line.starts_with("|---") => {}
            (true, true) => tables.last_mut().unwrap().rows.push(cells),
            (false, _) => {}
        }
        is_in_table = line.starts_with('|');
    }
    (blocks, tables)
}

/// The tables under a heading.
fn tables(heading: &str) -> Vec<Table> {
    let of_heading = read().1.into_iter().filter(|table| table.heading == heading);
    let tables: Vec<_> = of_heading.collect();
    assert!(!tables.is_empty(), "no table under {heading}");
    tables
}

fn first_column(table: &Table) -> BTreeSet<String> {
    table.rows.iter().map(|row| row[0].clone()).collect()
}

/// The policies under a heading.
fn policies(heading: &str) -> Vec<String> {
    let of_heading = read().0.into_iter().filter(|block| {
        block.heading == heading && block.language == "toml" && !block.text.starts_with("[[case]]")
    });
    of_heading.map(|block| block.text).collect()
}

/// A rule for examples that show only roles.
const RULE: &str = "[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\n";

#[track_caller]
fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The name of the role, or the code of the refusal.
fn outcome(policy: &Policy, claims: &Value, room: Option<&str>) -> String {
    match evaluate(policy, claims, room, &[]) {
        PolicyAnswer::Allowed(allowed) => allowed.role,
        PolicyAnswer::Refused { code, .. } => code.to_owned(),
    }
}

fn evaluate(policy: &Policy, claims: &Value, room: Option<&str>, agents: &[&str]) -> PolicyAnswer {
    let claims = claims.as_object().unwrap().clone();
    let agents: Vec<_> = agents.iter().map(ToString::to_string).collect();
    let input = Input { claims, room, agents: &agents, ..Input::default() };
    Question::new(input).unwrap().evaluate(policy)
}

#[track_caller]
fn allowed(policy: &Policy, claims: &Value, room: Option<&str>) -> Allowed {
    match evaluate(policy, claims, room, &[]) {
        PolicyAnswer::Allowed(allowed) => allowed,
        refused @ PolicyAnswer::Refused { .. } => panic!("{claims} {room:?}: {refused}"),
    }
}

#[test]
fn policies_of_the_page_are_valid() {
    let blocks = read().0;
    let toml: Vec<_> = blocks.iter().filter(|block| block.language == "toml").collect();
    assert!(toml.len() >= 11, "{} blocks", toml.len());
    for block in toml {
        if block.text.starts_with("[[case]]") {
            assert!(Cases::read(&block.text).is_ok(), "{}", block.heading);
        } else {
            let roles_alone = !block.text.contains("allow");
            let read =
                Policy::parse(&format!("{}{}", if roles_alone { RULE } else { "" }, block.text));
            assert!(read.is_ok(), "{}: {}", block.heading, read.unwrap_err());
        }
    }
}

#[test]
fn recipes_decide_as_described() {
    const NO_ROOM: &str = "room_not_allowed";
    let acme = json!({ "sub": "ada", "org_id": "acme", "org_role": "org:member" });
    let admin = json!({ "sub": "ada", "org_id": "acme", "org_role": "org:admin" });
    let nobody = json!({ "sub": "ada" });
    let star = json!({ "org_id": "*" });
    let speaker = json!({ "sub": "ada", "realm_access": { "roles": ["speaker", "staff"] } });
    let board = json!({ "sub": "ada", "groups": ["staff", "board"] });
    let permitted = json!({ "o": { "id": "acme", "per": "calls:mute,calls:join" } });
    let paying = json!({ "org_id": "acme", "app_metadata": { "plan": "gold" } });
    let design = json!({ "sub": "ada", "groups": ["design"] });
    let guest = json!({ "sub": "ada", "is_anonymous": true });
    let person = json!({ "sub": "ada", "is_anonymous": false });
    let member = json!({ "sub": "ada", "app_metadata": { "member": true } });
    let former = json!({ "sub": "ada", "app_metadata": { "member": false } });
    #[rustfmt::skip]
    let rows = [
        ("Tenants by organization",       &acme,    Some("acme:standup"),   "participant"),
        ("Tenants by organization",       &acme,    Some("globex:standup"), NO_ROOM),
        ("Tenants by organization",       &acme,    Some("acme2:standup"),  NO_ROOM),
        ("Tenants by organization",       &acme,    Some("acme"),           NO_ROOM),
        ("Tenants by organization",       &acme,    None,                   "participant"),
        ("Tenants by organization",       &nobody,  Some("acme:standup"),   NO_ROOM),
        ("Tenants by organization",       &nobody,  None,                   NO_ROOM),
        ("Tenants by organization",       &star,    Some("*:standup"),      NO_ROOM),
        ("Admin as host",                 &admin,   Some("acme:standup"),   "host"),
        ("Admin as host",                 &acme,    Some("acme:standup"),   "participant"),
        ("Admin as host",                 &admin,   Some("globex:standup"), NO_ROOM),
        ("Webinar",                       &speaker, Some("webinar-1"),      "host"),
        ("Webinar",                       &nobody,  Some("webinar-1"),      "viewer"),
        ("Webinar",                       &nobody,  Some("lobby"),          NO_ROOM),
        ("Audio only",                    &nobody,  Some("any"),            "speaker"),
        ("One agent per room",            &nobody,  Some("tutoring/ada/1"), "participant"),
        ("One agent per room",            &nobody,  Some("tutoring/bob/1"), NO_ROOM),
        ("One agent per room",            &nobody,  None,                   "participant"),
        ("Private rooms by list claim",   &board,   Some("board:june"),     "participant"),
        ("Private rooms by list claim",   &board,   Some("workshop"),       NO_ROOM),
        ("Private rooms by list claim",   &design,  Some("workshop"),       "participant"),
        ("Private rooms by list claim",   &design,  Some("product:x"),      "participant"),
        ("Private rooms by list claim",   &design,  Some("board:june"),     NO_ROOM),
        ("Private rooms by list claim",   &nobody,  Some("lobby"),          "participant"),
        ("Private rooms by list claim",   &nobody,  Some("workshop"),       NO_ROOM),
        ("Rooms for each group",          &board,   Some("board/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("staff/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("sales/june"),     NO_ROOM),
        ("Rooms for each group",          &board,   None,                   "participant"),
        ("Rooms for each group",          &nobody,  Some("board/june"),     NO_ROOM),
        ("Conditions",                    &permitted, Some("acme:a"),       "participant"),
        ("Conditions",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Claims in metadata",            &acme,    Some("acme:a"),         "participant"),
        ("Claims in metadata",            &nobody,  Some("acme:a"),         NO_ROOM),
        ("Attributes",                    &paying,  Some("acme:a"),         "participant"),
        ("Attributes",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Guests",                        &guest,   Some("lobby"),          "guest"),
        ("Rooms for each group",          &board,   Some("board/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("staff/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("sales/june"),     NO_ROOM),
        ("Rooms for each group",          &board,   None,                   "participant"),
        ("Rooms for each group",          &nobody,  Some("board/june"),     NO_ROOM),
        ("Conditions",                    &permitted, Some("acme:a"),       "participant"),
        ("Conditions",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Claims in metadata",            &acme,    Some("acme:a"),         "participant"),
        ("Claims in metadata",            &nobody,  Some("acme:a"),         NO_ROOM),
        ("Attributes",                    &paying,  Some("acme:a"),         "participant"),
        ("Attributes",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Guests",                        &guest,   Some("team-red"),       NO_ROOM),
        ("Rooms for each group",          &board,   Some("board/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("staff/june"),     "participant"),
        ("Rooms for each group",          &board,   Some("sales/june"),     NO_ROOM),
        ("Rooms for each group",          &board,   None,                   "participant"),
        ("Rooms for each group",          &nobody,  Some("board/june"),     NO_ROOM),
        ("Conditions",                    &permitted, Some("acme:a"),       "participant"),
        ("Conditions",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Claims in metadata",            &acme,    Some("acme:a"),         "participant"),
        ("Claims in metadata",            &nobody,  Some("acme:a"),         NO_ROOM),
        ("Attributes",                    &paying,  Some("acme:a"),         "participant"),
        ("Attributes",                    &acme,    Some("acme:a"),         NO_ROOM),
        ("Guests",                        &guest,   None,                   NO_ROOM),
        ("Guests",                        &person,  Some("team-red"),       "participant"),
        ("Guests",                        &person,  Some("lobby"),          "participant"),
        ("Guests",                        &nobody,  Some("lobby"),          NO_ROOM),
        ("Exclude a person",              &member,  Some("any"),            "participant"),
        ("Exclude a person",              &former,  Some("any"),            NO_ROOM),
        ("Exclude a person",              &nobody,  Some("any"),            NO_ROOM),
        ("File or variable",              &admin,   Some("acme:standup"),   "host"),
        ("File or variable",              &acme,    Some("acme:standup"),   "participant"),
        ("Authorization policy",          &nobody,  Some("any"),            "participant"),
    ];
    for (heading, claims, room, expected) in rows {
        let policy = parse(&policies(heading)[0]);
        assert_eq!(outcome(&policy, claims, room), expected, "{heading}: {claims} in {room:?}");
    }
    let page = page();
    let recipes = page.split("\n## ").find(|part| part.starts_with("Recipes")).unwrap();
    let headings: BTreeSet<_> =
        recipes.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.len() >= 8);
    let with_rows: BTreeSet<_> = rows.iter().map(|row| row.0).collect();
    assert_eq!(headings.difference(&with_rows).next(), None, "a recipe without rows");
}

#[test]
fn rule_with_an_issuer_decides_for_its_callers() {
    let claims = json!({ "sub": "ada", "groups": ["moderators"] });
    let policy = parse(&policies("Several issuers")[0]);
    for (issuer, is_allowed) in [(Some("staff"), true), (Some("app"), false), (None, false)] {
        let claims = claims.as_object().unwrap().clone();
        let input = Input { claims, issuer, room: Some("any"), ..Input::default() };
        let answer = Question::new(input).unwrap().evaluate(&policy);
        assert_eq!(matches!(answer, PolicyAnswer::Allowed(_)), is_allowed, "{issuer:?}");
    }
}

#[test]
fn recipes_grant_as_described() {
    let nobody = json!({ "sub": "ada" });
    let webinar = policies("Webinar");
    let speaker = json!({ "realm_access": { "roles": ["speaker"] } });
    let (quiet, chatting) = (parse(&webinar[0]), parse(&webinar.concat()));
    let viewer = allowed(&quiet, &nobody, Some("webinar-1"));
    assert_eq!(viewer.grants["canPublish"], false);
    assert_eq!(viewer.grants["canPublishData"], false);
    let host = allowed(&quiet, &speaker, Some("webinar-1"));
    assert_eq!(host.room_config, viewer.room_config, "whoever comes first");
    assert_eq!(host.room_config, Some(json!({ "maxParticipants": 500, "departureTimeout": 300 })));
    let viewer = allowed(&chatting, &nobody, Some("webinar-1"));
    assert_eq!(viewer.grants["canPublishData"], true);
    assert_eq!(viewer.grants["canPublish"], false);

    let audio = allowed(&parse(&policies("Audio only")[0]), &nobody, Some("any"));
    assert_eq!(audio.grants["canPublishSources"], json!(["microphone"]));
    assert_eq!(audio.grants["canPublish"], true);

    let tutor = parse(&policies("One agent per room")[0]);
    let agents = json!([{ "agentName": "tutor", "metadata": r#"{"level":"beginner"}"# }]);
    for room in [Some("tutoring/ada/1"), None] {
        let allowed = allowed(&tutor, &nobody, room);
        let room_config = json!({ "maxParticipants": 2, "agents": agents });
        assert_eq!(allowed.room_config, Some(room_config), "{room:?}");
        assert_eq!(allowed.fresh_room.is_some(), room.is_none());
    }
    // The agent itself may be named, and is not dispatched twice.
    let named = evaluate(&tutor, &nobody, Some("tutoring/ada/1"), &["tutor"]);
    assert_eq!(named, evaluate(&tutor, &nobody, Some("tutoring/ada/1"), &[]));
    assert!(matches!(named, PolicyAnswer::Allowed(_)), "{named}");
    let other = evaluate(&tutor, &nobody, Some("tutoring/ada/1"), &["another"]);
    assert!(matches!(other, PolicyAnswer::Refused { code: "agent_not_allowed", .. }), "{other}");

    let guest =
        allowed(&parse(&policies("Guests")[0]), &json!({ "is_anonymous": true }), Some("lobby"));
    assert_eq!((guest.ttl_seconds, &guest.grants["canPublish"]), (Some(120), &json!(false)));

    let acme = allowed(
        &parse(&policies("Tenants by organization")[0]),
        &json!({ "org_id": "acme" }),
        None,
    );
    assert_eq!(acme.fresh_room.as_deref(), Some("acme:*"));
}

#[test]
fn guests_need_the_condition_of_the_second_rule() {
    let text = policies("Guests")[0].replace("when  = { is_anonymous = false }\n", "");
    let guest = json!({ "is_anonymous": true });
    assert_eq!(outcome(&parse(&text), &guest, Some("team-red")), "participant");
}

#[test]
fn cases_of_the_page_pass_for_their_recipe() {
    let blocks = read().0;
    let text = &blocks.iter().find(|block| block.text.starts_with("[[case]]")).unwrap().text;
    let Ok(cases) = Cases::read(text) else { panic!("{text}") };
    let failures = cases.failures(&parse(&policies("Admin as host")[0]));
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert_eq!((cases.count(), failures), (3, Vec::new()));
    let open = parse("[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\n");
    let failures: Vec<_> = cases.failures(&open).iter().map(ToString::to_string).collect();
    let shown = blocks.iter().find(|block| block.text.contains("--cases cases.toml")).unwrap();
    assert!(shown.text.contains(&failures[0]), "{}", failures[0]);
}

/// The fields that the fault of an unknown one lists.
fn fields(policy: &str) -> BTreeSet<String> {
    let error = Policy::parse(policy).expect_err(policy);
    let reason = &error.faults()[0].reason;
    let (_, names) = reason.split_once("there are ").unwrap_or_else(|| panic!("{reason}"));
    let names = names.split(';').next().unwrap().replace(" and ", ", ");
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn page_lists_every_field() {
    let in_rule = |field: &str| format!("[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\n{field}");
    let of_rooms = tables("Room settings");
    let rows = [
        (first_column(&tables("Rules")[0]), in_rule("x = 1")),
        (first_column(&of_rooms[0]), in_rule("room_config = { x = 1 }")),
        (first_column(&of_rooms[1]), in_rule("allow_room_config = { x = 1 }")),
        (first_column(&tables("Roles")[1]), format!("{RULE}[roles.guest]\nx = 1")),
    ];
    for (documented, policy) in rows {
        assert_eq!(documented, fields(&policy), "{policy}");
    }
    let Err(faults) = Cases::read("[[case]]\nx = 1") else { panic!("x is no field") };
    assert_eq!(faults[0].line, 2);
    let (_, names) = faults[0].reason.split_once("expected one of ").unwrap();
    let known: BTreeSet<_> = names.split(", ").map(|name| name.replace('`', "")).collect();
    assert_eq!(first_column(&tables("Testing your policy")[0]), known);
}

/// Names in LiveKit's spelling.
fn grants(policy: &str, role: &str) -> Value {
    let role = parse(&format!("{RULE}{policy}")).role(role).expect(role).grants;
    json!(VideoGrant::join("room", role))
}

#[test]
fn page_lists_the_built_in_roles() {
    let table = &tables("Roles")[0];
    let names: Vec<_> = table.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["host", "moderator", "participant", "viewer"]);
    let may_give = table.header.iter().position(|column| column == "may_give").unwrap();
    for row in &table.rows {
        let grants = grants("", &row[0]);
        let given = parse(RULE).role(&row[0]).unwrap().may_give.join(", ");
        assert_eq!(if given.is_empty() { "–" } else { &given }, row[may_give], "{}", row[0]);
        for (grant, cell) in table.header.iter().zip(row).skip(1).take(may_give - 1) {
            let is_given = grants[camel(grant)] == true;
            assert_eq!(if is_given { "yes" } else { "no" }, cell, "{} {grant}", row[0]);
        }
    }
}

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

#[test]
fn page_lists_every_grant_with_its_default() {
    let new = grants("[roles.new]", "new");
    let mut documented = BTreeSet::new();
    for row in &tables("Roles")[1].rows {
        let (field, grant, default) = (&row[0], &row[1], &row[3]);
        if grant == "–" {
            continue;
        }
        documented.insert(grant.clone());
        let (value, expected, is_default) = match default.as_str() {
            "all" => ("[\"camera\"]", json!(["camera"]), new[grant].is_null()),
            "false" => ("true", json!(true), new[grant] != true),
            _ => ("false", json!(false), new[grant] == true),
        };
        assert!(is_default, "{field}: {new}");
        let changed = grants(&format!("[roles.new]\n{field} = {value}"), "new");
        assert_eq!(changed[grant], expected, "{field}");
    }
    let all = "[roles.new]\nroom_admin = true\ncan_publish_sources = [\"camera\"]";
    let known: BTreeSet<_> = grants(all, "new").as_object().unwrap().keys().cloned().collect();
    let is_place = |name: &String| ["room", "roomJoin"].contains(&name.as_str());
    assert_eq!(documented, known.into_iter().filter(|name| !is_place(name)).collect());
    let silent = grants("[roles.new]\ncan_publish = false", "new");
    assert_eq!(silent["canPublishData"], false, "as can_publish");
}

#[test]
fn listed_grants_are_rejected_in_roles() {
    let never = first_column(&tables("Roles")[2]);
    assert!(never.len() >= 8);
    for grant in never {
        let error = Policy::parse(&format!("{RULE}[roles.new]\n{grant} = true")).expect_err(&grant);
        assert!(error.faults()[0].reason.starts_with("no role can have this grant"), "{grant}");
    }
}

#[test]
fn listed_patterns_are_rejected() {
    let refused = tables("Patterns").remove(0);
    let mut count = 0;
    for row in refused.rows.iter().filter(|row| !row[0].starts_with("an empty one")) {
        for pattern in row[0].split(", ") {
            let text = format!("[[allow]]\nrooms = [\"{pattern}\"]\nrole = \"host\"\n");
            assert!(Policy::parse(&text).is_err(), "{pattern}");
            count += 1;
        }
    }
    assert!(count >= 8);
}

#[test]
fn faults_are_reported_as_on_the_page() {
    let blocks: Vec<_> = read().0.into_iter().filter(|block| block.heading == "Faults").collect();
    let error = Policy::parse(&blocks[0].text).expect_err("faults");
    let lines: Vec<_> = blocks[1].text.lines().skip(1).map(str::trim).collect();
    let found: Vec<_> = error.to_string().lines().map(|line| format!("POLICY:{line}")).collect();
    assert_eq!(lines, found);
}
