//! Compares `docs/identity-providers.md` with `tests/providers`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use toml::Value;

use crate::support::corpus::{Deployment, ProviderFile, UserInfo};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/identity-providers.md");
const START: &str = "<!-- providers -->\n";
const END: &str = "<!-- end -->";

#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE_DOCS configures this test")]
fn provider_table_matches_the_test_data() {
    let page = fs::read_to_string(PAGE).expect("docs/identity-providers.md");
    let (before, rest) = page.split_once(START).expect("the start of the table");
    let (shown, after) = rest.split_once(END).expect("the end of the table");
    let table = table();
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(PAGE, format!("{before}{START}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "write the table with UPDATE_DOCS=1");
}

#[test]
fn provider_section_names_the_tested_variables() {
    let page = fs::read_to_string(PAGE).expect("docs/identity-providers.md");
    for (name, file) in ProviderFile::all() {
        assert!(!file.sources.is_empty(), "{name}: no sources");
        let heading = format!("\n## {}\n", file.provider);
        let (_, rest) = page.split_once(&heading).unwrap_or_else(|| panic!("no section{heading}"));
        let section = rest.split("\n## ").next().unwrap_or_default();
        for variable in first(&file).variables.keys() {
            assert!(section.contains(variable.as_str()), "{heading}: {variable} is missing");
        }
    }
}

/// Returns the deployment that the documentation recommends.
fn first(file: &ProviderFile) -> &Deployment {
    file.deployments.iter().find(|deployment| deployment.fault.is_empty()).expect("a deployment")
}

fn table() -> String {
    let mut table = String::from(
        "| Provider | `OIDC_PROVIDER` | Email address | Name | Claims in policies | Rejected |\n\
         |---|---|---|---|---|---|\n",
    );
    for (_, file) in ProviderFile::all() {
        let anchor: String = file.provider.to_lowercase().chars().filter_map(anchor_of).collect();
        let title = &file.provider;
        let (email, name) = (email(&file), name(&file));
        let claims: Vec<_> = claims(&file).into_iter().map(|claim| format!("`{claim}`")).collect();
        let claims = if claims.is_empty() { "–".to_owned() } else { claims.join(", ") };
        let preset = &file.preset;
        let rejected = rejected(&file);
        writeln!(
            table,
            "| [{title}](#{anchor}) | `{preset}` | {email} | {name} | {claims} | {rejected} |"
        )
        .unwrap();
    }
    table
}

/// The character in GitHub's anchor of a heading.
fn anchor_of(character: char) -> Option<char> {
    match character {
        ' ' => Some('-'),
        other => (other.is_alphanumeric() || other == '-').then_some(other),
    }
}

/// The accepted tokens of all deployments without a policy, with the deployment.
fn accepted(file: &ProviderFile) -> impl Iterator<Item = (&Deployment, &str, &str)> {
    file.deployments.iter().flat_map(|deployment| {
        deployment.tokens.iter().filter_map(move |token| {
            let expected = &token.expected;
            Some((deployment, expected.identity.as_deref()?, expected.name.as_deref()?))
        })
    })
}

fn source(deployment: &Deployment) -> &'static str {
    match deployment.userinfo {
        Some(UserInfo::Answer(_) | UserInfo::Signed(_)) => "UserInfo",
        _ => "token",
    }
}

fn email(file: &ProviderFile) -> String {
    let by_email = |deployment: &&Deployment| {
        deployment.variables.get("PARTICIPANT_IDENTITY").is_none_or(|identity| identity == "email")
    };
    let is_verified = |deployment: &Deployment| {
        deployment.variables.get("REQUIRE_VERIFIED_EMAIL").is_none_or(|required| required == "true")
    };
    let with_email: Vec<_> = accepted(file)
        .map(|(deployment, ..)| deployment)
        .filter(by_email)
        .map(|deployment| (is_verified(deployment), source(deployment)))
        .collect();
    match with_email.iter().max_by_key(|(verified, _)| *verified) {
        Some((true, source)) => format!("verified, {source}"),
        Some((false, source)) => format!("unverified, {source}"),
        None => "–".to_owned(),
    }
}

fn name(file: &ProviderFile) -> &'static str {
    let mut named = accepted(file).filter(|(_, _, name)| *name != "Unnamed User");
    named.next().map_or("–", |(deployment, ..)| source(deployment))
}

/// The claims that the policies of the file use.
fn claims(file: &ProviderFile) -> BTreeSet<String> {
    let mut claims = BTreeSet::new();
    for deployment in file.deployments.iter().filter(|deployment| !deployment.policy.is_empty()) {
        let policy: toml::Table = deployment.policy.join("\n").parse().expect("a policy");
        for rule in policy["allow"].as_array().expect("rules") {
            if let Some(when) = rule.get("when").and_then(Value::as_table) {
                claims.extend(when.keys().cloned());
            }
            for room in rule["rooms"].as_array().expect("rooms").iter().filter_map(Value::as_str) {
                let parts = room.split('{').skip(1).filter_map(|part| part.split_once('}'));
                claims.extend(parts.map(|(claim, _)| format!("{{{claim}}}")));
            }
        }
    }
    claims
}

/// The number of different tokens that the file expects to be rejected with 401.
fn rejected(file: &ProviderFile) -> usize {
    let tokens = file.deployments.iter().flat_map(|deployment| &deployment.tokens);
    let rejected = tokens.filter(|token| token.expected.status == 401);
    rejected.map(|token| &token.name).collect::<BTreeSet<_>>().len()
}
