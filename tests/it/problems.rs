//! `docs/problems.md` has a section for every `code` in the source, and for no other.

use std::collections::BTreeSet;
use std::fs;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The first argument of each call that creates a problem.
fn answered() -> BTreeSet<String> {
    let source = read("src/endpoint/problem.rs");
    let calls = ["Self::new(", "Self::unauthorized(", "Self::forbidden("];
    let arguments = calls.iter().flat_map(|call| source.split(call).skip(1));
    let codes = arguments.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    codes.filter(|code| is_code(code)).map(str::to_owned).collect()
}

#[test]
fn every_code_has_a_section() {
    let page = read("docs/problems.md");
    let documented = page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned);
    let answered = answered();
    assert!(answered.len() >= 20, "{answered:?}");
    assert_eq!(documented.collect::<BTreeSet<_>>(), answered);
}
