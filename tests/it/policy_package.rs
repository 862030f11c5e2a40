//! The policy of a package: `policy.toml` next to the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Call, Env};

/// A folder for one test, with this `policy.toml`.
fn package(name: &str, policy: Option<&[u8]>) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    if let Some(policy) = policy {
        fs::write(folder.join("policy.toml"), policy).unwrap();
    }
    folder
}

fn policy(role: &str) -> String {
    format!("[[allow]]\nrooms = [\"*\"]\nrole = \"{role}\"\n")
}

/// The deployment of a package. An empty `POLICY` counts as not set.
fn env(folder: &Path) -> Env {
    Env::offline().with("POLICY", "").with("LAMBDA_TASK_ROOT", folder.to_str().unwrap())
}

async fn role(env: &Env) -> String {
    let call = Call::asking(&json!({ "room_name": "a" }));
    let participant = call.send(&env.app()).await.participant();
    participant["attributes"]["role"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn file_of_the_package_replaces_the_built_in_policy() {
    let folder = package("package-host", Some(policy("host").as_bytes()));
    assert_eq!(role(&env(&folder)).await, "host");
    let variable = env(&folder).with("POLICY", &policy("viewer"));
    assert_eq!(role(&variable).await, "viewer", "the variable replaces the file");
    let elsewhere = env(&folder).without("LAMBDA_TASK_ROOT");
    assert!(elsewhere.config().is_ok(), "built in");
    assert!(
        env(&package("package-without-file", None)).config().is_ok(),
        "built in without a file"
    );
    assert!(env(Path::new("/nowhere")).config().is_ok(), "built in without a folder");
}

#[test]
fn faulty_file_of_the_package_prevents_the_start() {
    let rows: [(&str, &[u8], &str); 5] = [
        ("faulty", b"[[allow]]\nrooms = [\"*\"]\nrole = \"boss\"", "policy.toml:3: role must be"),
        ("empty", b"", "policy.toml:1: the policy must have at least one rule"),
        ("comment", b"#", "policy.toml:1: the policy must have at least one rule"),
        (
            "issuer",
            b"[[allow]]\nrooms = [\"*\"]\nrole = \"host\"\nissuer = \"x\"",
            "policy.toml:1: issuer must be",
        ),
        ("latin-1", b"# caf\xe9", "policy.toml next to the binary must be a readable file"),
    ];
    for (row, text, fault) in rows {
        let folder = package(&format!("package-{row}"), Some(text));
        let error = env(&folder).config().err().expect(row).to_string();
        assert!(error.contains(fault), "{row}: {error}");
        assert!(env(&folder).with("POLICY", &policy("host")).config().is_ok(), "{row}: not read");
    }
    let folder = package("package-folder", None);
    fs::create_dir(folder.join("policy.toml")).unwrap();
    let error = env(&folder).config().err().expect("a folder").to_string();
    assert!(error.contains("must be a readable file"), "{error}");
}

/// Outside Lambda, the package is the folder of the binary.
#[test]
fn binary_reads_the_file_next_to_it() {
    let folder = package("package-binary", Some(b"[[allow]]\nrole = \"host\""));
    let binary = folder.join("bootstrap");
    // A link and not a copy: a file that is open for writing cannot be executed.
    fs::hard_link(env!("CARGO_BIN_EXE_bootstrap"), &binary).unwrap();
    let env = Env::offline().without("POLICY");
    let output = Command::new(&binary).env_clear().envs(env.variables()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{errors}");
    assert!(errors.contains("policy.toml:1: the rule has no rooms"), "{errors}");
}
