//! The policy's text: what is refused at start, on which line, and all of it at once.

use roomkey::policy::{BUILT_IN, Policy};

use crate::support::{ANYONE, Env};

/// What no refusal may repeat.
const MARK: &str = "Zx9marker";

/// Fields of a rule, in place of which a row has bad ones.
const RULE: &str = "[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"\n";

/// A rule and one more line, the fourth, and what is said of it.
const FOURTH_LINES: &[(&str, &str)] = &[
    ("Zx9marker = 1", "no such field of a rule"),
    ("room = [\"a\"]", "no such field of a rule"),
    ("deny = true", "no such field of a rule"),
    ("rooms = [\"a\"]", "duplicate key"),
    ("role = \"host\"", "duplicate key"),
    ("when = \"Zx9marker\"", "when must be a table"),
    ("when = { a = [] }", "must not be empty"),
    ("when = { a = \"\" }", "a claim's value"),
    ("when = { a = [\"\"] }", "a claim's value"),
    ("when = { a = 1.5 }", "a claim's value"),
    ("when = { a = [[\"b\"]] }", "a claim's value"),
    ("when = { a = { b = {} } }", "a claim's value"),
    ("when = { a = { b = 1.5 } }", "a claim's value"),
    ("when = { a = [{ b = 1 }] }", "a claim's value"),
    ("when = { a = 1979-05-27 }", "a claim's value"),
    ("when = { a = 1, a = 2 }", "duplicate key"),
    ("when = { \"\" = 1 }", "a claim must have a name"),
    ("agents = \"Zx9marker\"", "list of patterns"),
    ("agents = []", "list of patterns"),
    ("agents = [\"*Zx9marker\"]", "a star"),
    ("agents = [1]", "a pattern must be text"),
    ("room_config = 1", "room_config must be a table"),
    ("room_config = { egress = {} }", "no such field of room_config"),
    ("room_config = { tags = {} }", "no such field of room_config"),
    ("room_config = { maxParticipants = 1 }", "no such field of room_config"),
    ("room_config = { max_participants = 0 }", "whole number from 1"),
    ("room_config = { max_participants = 4294967296 }", "whole number from 1"),
    ("room_config = { empty_timeout = -1 }", "whole number from 1"),
    ("room_config = { departure_timeout = \"5\" }", "whole number from 1"),
    ("room_config = { metadata = \"\" }", "text of 1 to 4096 bytes"),
    ("room_config = { metadata = 5 }", "text of 1 to 4096 bytes"),
    ("room_config = { agents = [] }", "agents of room_config"),
    ("room_config = { agents = [\"Zx9marker\"] }", "an agent of room_config must be a table"),
    ("room_config = { agents = [{ name = \"a\" }] }", "no such field of an agent"),
    ("room_config = { agents = [{ agent_name = \"\" }] }", "1 to 256 bytes"),
    ("room_config = { agents = [{ agent_name = \"a\\u0000\" }] }", "1 to 256 bytes"),
    ("room_config = { agents = [{ metadata = 5 }] }", "an agent's metadata"),
    ("room_config = { agents = [{},{},{},{},{},{},{},{},{},{},{}] }", "1 to 10 tables"),
    ("allow_room_config = []", "allow_room_config must be a table"),
    ("allow_room_config = { egress = true }", "no such field of allow_room_config"),
    ("allow_room_config = { agents = 3 }", "no such field of allow_room_config"),
    ("allow_room_config = { max_participants = 0 }", "the highest number"),
    ("allow_room_config = { max_participants = true }", "the highest number"),
    ("allow_room_config = { metadata = 4097 }", "the most bytes"),
    ("this is not TOML", "is not TOML"),
    ("[roles]\nZx9marker = 1", "a role must be a table"),
    ("[[roles]]", "roles must be tables"),
    ("[Zx9marker]", "no such field: there are allow and roles"),
    ("[roles.\"a b\"]", "a role's name"),
    ("[roles.\"\"]", "a role's name"),
    ("[roles.host]\ncanPublish = true", "no such field of a role"),
    ("[roles.host]\ncan_mute = true", "no such field of a role"),
    ("[roles.host]\ncan_publish = \"Zx9marker\"", "true or false"),
    ("[roles.host]\ncan_publish = 1", "true or false"),
    ("[roles.host]\ncan_publish_data = 0", "true or false"),
    ("[roles.host]\ncan_publish_sources = []", "to allow none"),
    ("[roles.host]\ncan_publish_sources = \"camera\"", "to allow none"),
    ("[roles.host]\ncan_publish_sources = [\"CAMERA\"]", "to allow none"),
    ("[roles.host]\ncan_publish_sources = [\"camera\", \"Zx9marker\"]", "to allow none"),
    ("[roles.host]\ncan_publish_sources = [\"camera\", 1]", "to allow none"),
    ("[roles.viewer]\ncan_publish_sources = [\"camera\"]", "without can_publish"),
    ("[roles.host]\nttl_seconds = 60", "61 to 86400"),
    ("[roles.host]\nttl_seconds = 86401", "61 to 86400"),
    ("[roles.host]\nttl_seconds = 600.0", "61 to 86400"),
    ("[roles.host]\nmax_participants = 0", "whole number from 1"),
    (
        "[roles.host]\nmax_participants = 5\nroom_config = { max_participants = 5 }",
        "stands here and in",
    ),
    ("[roles.host]\nroom_create = true", "no role can have this grant"),
    ("[roles.host]\nroom_list = false", "no role can have this grant"),
    ("[roles.host]\nroom_record = true", "no role can have this grant"),
    ("[roles.host]\ningress_admin = true", "no role can have this grant"),
    ("[roles.host]\nhidden = true", "no role can have this grant"),
    ("[roles.host]\nrecorder = true", "no role can have this grant"),
    ("[roles.host]\nagent = true", "no role can have this grant"),
    ("[roles.host]\nroom_join = true", "no role can have this grant"),
    ("[roles.host]\nroom_admin = true\nroom_admin = true", "duplicate key"),
    ("[roles.host]\n[roles.host]", "duplicate key"),
];

#[test]
fn a_bad_line_is_refused_by_its_number() {
    for (lines, reason) in FOURTH_LINES {
        let text = format!("{RULE}{lines}\n");
        let error = Policy::parse(&text).expect_err(lines);
        let [fault] = error.faults() else { panic!("{lines}: one fault, not\n{error}") };
        assert!(fault.reason.contains(reason), "{lines}: {error}");
        assert!((4..=6).contains(&fault.line), "{lines}: {error}");
        assert!(!error.to_string().contains(MARK), "{lines}: {error}");
    }
}

/// Rules that are bad as a whole.
#[test]
fn a_rule_has_rooms_and_a_role() {
    for (rule, faults) in [
        ("role = \"host\"", vec!["3: the rule has no rooms"]),
        ("rooms = [\"a\"]", vec!["3: the rule has no role"]),
        ("", vec!["3: the rule has no role", "3: the rule has no rooms"]),
        ("rooms = []\nrole = \"host\"", vec!["4: must be a list of patterns, and not empty"]),
        ("rooms = \"a\"\nrole = \"host\"", vec!["4: must be a list of patterns, and not empty"]),
        ("rooms = [\"a\"]\nrole = 5", vec!["5: must be text, and not empty"]),
        ("rooms = [5]\nrole = \"host\"", vec!["4: a pattern must be text"]),
    ] {
        let error = Policy::parse(&format!("\n# one\n[[allow]]\n{rule}")).expect_err(rule);
        assert_eq!(error.to_string().lines().collect::<Vec<_>>(), faults, "{rule}");
    }
    for role in ["hosts", "Host", "*", "host ", "roles.host"] {
        let rule = format!("[[allow]]\nrooms = [\"a\"]\nrole = \"{role}\"");
        let error = Policy::parse(&rule).expect_err(role).to_string();
        assert!(error.starts_with("3: role must be host"), "{role}: {error}");
    }
    for text in ["allow = 5", "allow = {}", "[allow]\nrooms = [\"*\"]", "allow = [1]", "allow = []"]
    {
        let error = Policy::parse(text).expect_err(text).to_string();
        assert!(error.starts_with("1: allow must be a list of tables"), "{text}: {error}");
    }
}

#[test]
fn all_faults_come_at_once_and_in_order() {
    let text = "[[allow]]\nrooms = [\"a*b\", \"{c\"]\nrole = \"Zx9marker\"\nagent = [\"x\"]\n\
                [roles.guest]\nhidden = true\nttl_seconds = 5\n[[allow]]\nrole = \"guest\"\nrole = \"host\"\n[x]\n";
    let error = Policy::parse(text).expect_err("all of it");
    let lines: Vec<usize> = error.faults().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 2, 3, 4, 6, 7, 8, 10, 11], "{error}");
    assert!(!error.to_string().contains(MARK), "{error}");
}

#[test]
fn the_start_is_refused_beside_all_other_faults() {
    let env =
        Env::offline().with("TOKEN_TTL_SECONDS", "5").with("POLICY", "\n[[allow]]\nrole = 1\n");
    let refusal = env.config().err().expect("a refusal").to_string();
    let lines: Vec<&str> = refusal.lines().map(str::trim).collect();
    for line in ["POLICY:2: the rule has no rooms", "POLICY:3: must be text, and not empty"] {
        assert!(lines.contains(&line), "{line}: {refusal}");
    }
    assert!(refusal.contains("TOKEN_TTL_SECONDS"), "{refusal}");
}

#[test]
fn what_is_built_in_is_a_policy() {
    Policy::parse(BUILT_IN).expect("policy.toml");
    Policy::parse(ANYONE).expect("what is shipped");
    assert!(
        Env::offline().with("POLICY", "").config().is_ok(),
        "an empty variable counts as not set"
    );
}

#[test]
fn good_ones_are_taken() {
    for line in [
        "",
        "# a comment, and an empty policy\n",
        "when = {}",
        "when = { a = \"b\", \"https://x.example/c\" = [\"d\", true, 5], e.f = false }",
        "when.org.role = \"admin\"",
        "agents = [\"*\"]",
        "room_config = {}",
        "allow_room_config = {}",
        "allow_room_config = { max_participants = 4294967295, empty_timeout = 1, metadata = 4096 }",
        "room_config = { max_participants = 0x10, empty_timeout = 1_000, departure_timeout = 4294967295 }",
        "room_config = { agents = [{}, { agent_name = \"a\", metadata = \"m\", deployment = \"d\" }] }",
        "[roles.a-b_C9]",
        "[roles.viewer]\ncan_publish = false\ncan_publish_data = true",
        "[roles.x]\ncan_publish_sources = [\"camera\", \"microphone\", \"screen_share\", \"screen_share_audio\"]",
        "[roles.x]\nttl_seconds = 61\n[roles.y]\nttl_seconds = 86400",
        "[roles.x]\nmax_participants = 5\nroom_config = { empty_timeout = 5 }",
    ] {
        let text = format!("{RULE}{line}");
        assert!(Policy::parse(&text).is_ok(), "{line}: {}", Policy::parse(&text).unwrap_err());
    }
}
