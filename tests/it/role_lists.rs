//! Lists of roles in a role: which roles they may contain, and what the built-in ones contain.

use roomkey::Policy;

/// The lines and reasons of the faults.
fn faults(roles: &str) -> String {
    let policy = format!("[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\n{roles}");
    Policy::parse(&policy).err().map(|error| error.to_string()).unwrap_or_default()
}

#[track_caller]
fn parsed(roles: &str) -> Policy {
    let policy = format!("[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\n{roles}");
    Policy::parse(&policy).unwrap_or_else(|error| panic!("{roles}: {error}"))
}

const UNKNOWN: &str = "must list host, moderator, participant, viewer, or roles with a table of this \
                       policy, [roles.name]";
const GIVEN: &str =
    "may_give must not list a role with room_admin or can_moderate: nobody can give such a role";
const ADMIN: &str = "may_become must not list a role with room_admin: LiveKit cannot give that grant \
                     during a call";
const MODERATES: &str = "may_become must not list a role with can_moderate in a role without it";

#[test]
fn lists_contain_roles_of_the_policy_that_can_change_hands() {
    let rows = [
        ("[roles.a]\nmay_give = [\"participant\", \"viewer\", \"a\"]", String::new()),
        ("[roles.a]\nmay_give = [\"z\"]\n[roles.z]", String::new()),
        ("[roles.a]\nmay_give = []\nmay_become = []", String::new()),
        ("[roles.a]\nmay_give = [\"host\"]", format!("5: {GIVEN}")),
        ("[roles.a]\nmay_give = [\n\"viewer\",\n\"moderator\"]", format!("7: {GIVEN}")),
        ("[roles.a]\nmay_give = [\"a\"]\ncan_moderate = true", format!("5: {GIVEN}")),
        ("[roles.a]\nmay_give = [\"z\"]\n[roles.z]\nroom_admin = true", format!("5: {GIVEN}")),
        (
            "[roles.a]\nmay_give = [\"z\"]\n[roles.z]\nroom_admin = true\ncan_moderate = false",
            format!("5: {GIVEN}"),
        ),
        ("[roles.host]\nmay_give = [\"host\"]", format!("5: {GIVEN}")),
        (
            "[roles.viewer]\ncan_moderate = true\n[roles.host]\nmay_give = [\"viewer\"]",
            format!("7: {GIVEN}"),
        ),
        ("[roles.a]\nmay_give = [\"captain\"]", format!("5: may_give {UNKNOWN}")),
        ("[roles.a]\nmay_give = [\"Viewer\"]", format!("5: may_give {UNKNOWN}")),
        ("[roles.a]\nmay_give = [1]", format!("5: may_give {UNKNOWN}")),
        ("[roles.a]\nmay_give = [\"*\"]", format!("5: may_give {UNKNOWN}")),
        ("[roles.a]\nmay_give = \"viewer\"", "5: may_give must be a list of roles".to_owned()),
        ("[roles.a]\nmay_give = true", "5: may_give must be a list of roles".to_owned()),
        ("[roles.host]\nmay_become = [\"moderator\", \"viewer\"]", String::new()),
        ("[roles.viewer]\nmay_become = [\"participant\"]", String::new()),
        ("[roles.host]\nmay_become = [\"host\"]", format!("5: {ADMIN}")),
        ("[roles.viewer]\nmay_become = [\"host\"]", format!("5: {ADMIN}")),
        ("[roles.viewer]\nmay_become = [\"moderator\"]", format!("5: {MODERATES}")),
        ("[roles.a]\ncan_moderate = true\nmay_become = [\"moderator\"]", String::new()),
        ("[roles.a]\nmay_become = [\"moderator\"]\ncan_moderate = true", String::new()),
        ("[roles.a]\nmay_become = [\"captain\"]", format!("5: may_become {UNKNOWN}")),
        ("[roles.a]\nmay_become = {}", "5: may_become must be a list of roles".to_owned()),
        ("[roles.a]\nmay_raise_hand = 1", "5: must be true or false".to_owned()),
        ("[roles.a]\nconsent = \"yes\"", "5: must be true or false".to_owned()),
    ];
    for (roles, expected) in rows {
        assert_eq!(faults(roles), expected, "{roles}");
    }
}

#[test]
fn built_in_host_gives_roles_that_are_not_in_charge() {
    let host_gives = |roles: &str| parsed(roles).role("host").unwrap().may_give.join(" ");
    let rows = [
        ("", "participant viewer"),
        ("[roles.host]\nttl_seconds = 61", "participant viewer"),
        ("[roles.host]\nmay_give = []", ""),
        ("[roles.host]\nmay_give = [\"viewer\"]", "viewer"),
        ("[roles.participant]\ncan_moderate = true", "viewer"),
        ("[roles.viewer]\nroom_admin = true", "participant"),
    ];
    for (roles, expected) in rows {
        assert_eq!(host_gives(roles), expected, "{roles}");
    }
    for role in ["moderator", "participant", "viewer", "new"] {
        let policy = parsed("[roles.new]");
        let role = policy.role(role).unwrap();
        assert!(role.may_give.is_empty() && role.may_become.is_empty(), "{}", role.name);
        assert!(role.may_raise_hand && !role.consent, "{}", role.name);
    }
}

/// The stage of the page: its host, its speakers and its audience.
#[test]
fn roles_of_the_moderation_page_are_valid() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/moderation.md"));
    let page = page.expect("docs/moderation.md");
    let stage = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let policy = parsed(stage);
    let host = policy.role("host").unwrap();
    assert_eq!(host.may_give, ["speaker", "viewer"]);
    assert_eq!(host.may_become, ["moderator"]);
    let speaker = policy.role("speaker").unwrap();
    assert!(speaker.consent);
    assert_eq!(speaker.may_become, ["viewer"]);
}
