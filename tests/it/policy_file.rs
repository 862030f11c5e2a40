//! Faults of a policy's text, which are reported together and by line.

use roomkey::policy::{BUILT_IN, Policy};

use crate::support::{ANYONE, Env};

/// A text that no error may repeat.
const MARK: &str = "Zx9marker";

/// A valid rule on three lines.
const RULE: &str = "[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"\n";

/// The fourth line, or the following ones, behind a valid rule, and a part of the fault.
const FOURTH_LINES: &[(&str, &str)] = &[
    ("Zx9marker = 1", "no such field of a rule"),
    ("room = [\"a\"]", "no such field of a rule"),
    ("deny = true", "no such field of a rule"),
    ("rooms = [\"a\"]", "duplicate key"),
    ("role = \"host\"", "duplicate key"),
    ("when = \"Zx9marker\"", "when must be a table"),
    ("when = {}", "when must name a claim"),
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
    ("when = { a = { word = \"\" } }", "word must be a string"),
    ("when = { a = { word = \"Zx9marker b\" } }", "word must be a string"),
    ("when = { a = { word = \"a,b\" } }", "word must be a string"),
    ("when = { a = { word = 1 } }", "word must be a string"),
    ("when = { a = { word = [] } }", "must not be empty"),
    ("when = { a = { word = [\"a b\"] } }", "word must be a string"),
    ("when = { a = { word = \"b\", c = 1 } }", "word must be the only field"),
    ("when = { a = [{ word = \"a b\" }] }", "word must be a string"),
    ("issuer = \"\"", "must be a non-empty string"),
    ("issuer = 5", "must be a non-empty string"),
    ("issuer = [\"Zx9marker\"]", "must be a non-empty string"),
    ("deployments = []", "list of patterns"),
    ("deployments = \"blue\"", "list of patterns"),
    ("deployments = [\"a*b\"]", "only star at the end"),
    ("client_fields = \"room_name\"", "client_fields must be a list"),
    ("client_fields = [\"Zx9marker\"]", "client_fields must be a list"),
    ("client_fields = [\"participant_identity\"]", "client_fields must be a list"),
    ("client_fields = [5]", "client_fields must be a list"),
    ("attributes = []", "attributes must be a table"),
    ("attributes = { a = \"\" }", "must be a non-empty string"),
    ("attributes = { a = 5 }", "must be a non-empty string"),
    ("attributes = { \"a b\" = \"x\" }", "an attribute's key"),
    ("attributes = { \"\" = \"x\" }", "an attribute's key"),
    ("attributes = { role = \"host\" }", "roomkey or LiveKit sets"),
    ("attributes = { Color = \"red\" }", "roomkey or LiveKit sets"),
    ("attributes = { \"lk.agent\" = \"x\" }", "roomkey or LiveKit sets"),
    ("attributes = { team = \"a\", Team = \"b\" }", "differ only in case"),
    ("attributes = { a = \"{b\" }", "braces must be balanced"),
    ("attributes = { a = \"b}\" }", "braces must be balanced"),
    ("attributes = { a = \"x { b }\" }", "braces must be balanced"),
    ("attributes = { a = '{\"b\":{c}}' }", "must be JSON"),
    ("attributes = { a = '{\"{b}\":1}' }", "field name in JSON"),
    ("room_config = { agents = [{ metadata = '[{level}]' }] }", "must be JSON"),
    ("room_config = { agents = [{ metadata = 'a {b' }] }", "braces must be balanced"),
    (
        "room_config = { agents = [{ agent_name = \"a\" }, { agent_name = \"a\", metadata = \"m\" }] }",
        "must not list an agent twice",
    ),
    (
        "room_config = { agents = [{}, { deployment = \"d\" }] }",
        "at most one agent without agent_name",
    ),
    ("agents = \"Zx9marker\"", "list of patterns"),
    ("agents = []", "list of patterns"),
    ("agents = [\"*Zx9marker\"]", "only star at the end"),
    ("agents = [1]", "a pattern must be a string"),
    ("room_config = 1", "room_config must be a table"),
    ("room_config = { egress = {} }", "no such field of room_config"),
    ("room_config = { tags = {} }", "no such field of room_config"),
    ("room_config = { maxParticipants = 1 }", "no such field of room_config"),
    ("room_config = { max_participants = 0 }", "whole number from 1"),
    ("room_config = { max_participants = 4294967296 }", "whole number from 1"),
    ("room_config = { empty_timeout = -1 }", "whole number from 1"),
    ("room_config = { departure_timeout = \"5\" }", "whole number from 1"),
    ("room_config = { metadata = \"\" }", "a string of 1 to 4096 bytes"),
    ("room_config = { metadata = 5 }", "a string of 1 to 4096 bytes"),
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
    ("[Zx9marker]", "no such field: there are allow, ask and roles"),
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
        "set both in the role and in",
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
fn policy_is_rejected_with_the_line_of_a_fault() {
    for (lines, reason) in FOURTH_LINES {
        let text = format!("{RULE}{lines}\n");
        let error = Policy::parse(&text).expect_err(lines);
        let [fault] = error.faults() else { panic!("{lines}: one fault, not\n{error}") };
        assert!(fault.reason.contains(reason), "{lines}: {error}");
        assert!((4..=6).contains(&fault.line), "{lines}: {error}");
        assert!(!error.to_string().contains(MARK), "{lines}: {error}");
    }
}

#[test]
fn rule_is_rejected_without_rooms_or_role() {
    for (rule, faults) in [
        ("role = \"host\"", vec!["3: the rule has no rooms"]),
        ("rooms = [\"a\"]", vec!["3: the rule has no role"]),
        ("", vec!["3: the rule has no role", "3: the rule has no rooms"]),
        ("rooms = []\nrole = \"host\"", vec!["4: must be a non-empty list of patterns"]),
        ("rooms = \"a\"\nrole = \"host\"", vec!["4: must be a non-empty list of patterns"]),
        ("rooms = [\"a\"]\nrole = 5", vec!["5: must be a non-empty string"]),
        ("rooms = [5]\nrole = \"host\"", vec!["4: a pattern must be a string"]),
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
fn all_faults_are_reported_in_order() {
    let text = "[[allow]]\nrooms = [\"a*b\", \"{c\"]\nrole = \"Zx9marker\"\nagent = [\"x\"]\n\
                [roles.guest]\nhidden = true\nttl_seconds = 5\n[[allow]]\nrole = \"guest\"\nrole = \"host\"\n[x]\n";
    let error = Policy::parse(text).expect_err("all of it");
    let lines: Vec<usize> = error.faults().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 2, 3, 4, 6, 7, 8, 10, 11], "{error}");
    assert!(!error.to_string().contains(MARK), "{error}");
}

#[test]
fn policy_faults_are_reported_with_faults_of_variables() {
    let env =
        Env::offline().with("TOKEN_TTL_SECONDS", "5").with("POLICY", "\n[[allow]]\nrole = 1\n");
    let refusal = env.config().err().expect("a refusal").to_string();
    let lines: Vec<&str> = refusal.lines().map(str::trim).collect();
    for line in ["POLICY:2: the rule has no rooms", "POLICY:3: must be a non-empty string"] {
        assert!(lines.contains(&line), "{line}: {refusal}");
    }
    assert!(refusal.contains("TOKEN_TTL_SECONDS"), "{refusal}");
}

#[test]
fn built_in_policy_is_valid() {
    Policy::parse(BUILT_IN).expect("policy.toml");
    Policy::parse(ANYONE).expect("the policy as shipped");
    assert!(
        Env::offline().with("POLICY", "").config().is_ok(),
        "an empty variable counts as not set"
    );
}

#[test]
fn valid_policies_are_accepted() {
    for line in [
        "",
        "# a comment, and an empty policy\n",
        "when = { a = { word = \"b\" } }",
        "when = { a = [{ word = \"b\" }, \"c\", 5], d = { word = [\"e\", \"f\"] } }",
        "when.o.per.word = \"calls:join\"",
        "when = { \"a.word\" = 1 }",
        "deployments = [\"blue\", \"eu-*\", \"{sub}\"]",
        "client_fields = []",
        "client_fields = [\"room_name\", \"participant_name\", \"participant_metadata\", \"participant_attributes\", \"room_config\"]",
        "attributes = {}",
        "attributes = { tier = \"gold\", \"acme.org\" = \"{org_id}/{sub}\", json = '{\"a\":\"{b}\",\"c\":{}}' }",
        "room_config = { agents = [{ agent_name = \"a\", metadata = '{\"org\":\"{org_id}\"}' }] }",
        "room_config = { agents = [{ agent_name = \"a\" }, { agent_name = \"a\", deployment = \"b\" }, {}] }",
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

/// A policy without a rule rejects every request, so it is a mistake.
#[test]
fn policy_without_a_rule_is_rejected() {
    for text in [
        "",
        "#",
        "\n",
        " ",
        "# a comment\n",
        "[roles.guest]\ncan_publish = false",
        "[roles]",
        "roles = {}",
    ] {
        let error = Policy::parse(text).expect_err(text).to_string();
        assert!(error.starts_with("1: the policy must have at least one rule"), "{text}: {error}");
    }
    for text in ["#", " ", "\t\n", "[roles.guest]"] {
        let config = Env::offline().with("POLICY", text).config();
        let error = config.err().expect(text).to_string();
        assert!(error.contains("POLICY:1: the policy must have"), "{text:?}: {error}");
    }
    // Invalid TOML and an empty list are not reported as an absent rule as well.
    for text in ["allow = [", "[[allow]", "allow = []"] {
        let error = Policy::parse(text).expect_err(text).to_string();
        assert!(!error.contains("at least one rule"), "{text}: {error}");
    }
}

/// The names of issuers are known only to the configuration.
#[test]
fn rule_with_an_unknown_issuer_is_rejected() {
    let policy = |issuer: &str| format!("{RULE}issuer = \"{issuer}\"\n{RULE}");
    let several = crate::issuers::offline();
    let rows = [
        (&several, "staff", true),
        (&several, "app", true),
        (&several, "Staff", false),
        (&several, "https://staff.idp.example/realms/staff", false),
        (&several, "Zx9marker", false),
        (&Env::offline(), "staff", false),
        (&Env::offline(), crate::support::ISSUER, false),
    ];
    for (env, issuer, is_known) in rows {
        let config = env.clone().with("POLICY", &policy(issuer)).config();
        match config {
            Ok(_) => assert!(is_known, "{issuer}"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    !is_known && error.contains("POLICY:1: issuer must be"),
                    "{issuer}: {error}"
                );
                assert!(!error.contains(MARK), "{error}");
            }
        }
    }
}
