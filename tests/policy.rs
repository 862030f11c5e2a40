//! `policy.toml` gives the results of `policy-cases.toml`: `cargo test --test policy`. To test your own
//! policy, edit these two files (`docs/policy.md`).

#[path = "../examples/policy/cases.rs"]
mod cases;
#[path = "../examples/policy/question.rs"]
mod question;

use std::fmt::Display;

use cases::{Cases, Fault};
use roomkey::policy::{self, BUILT_IN, Policy};

const CASES: &str = include_str!("../policy-cases.toml");

#[test]
fn policy_gives_the_results_of_its_cases() {
    let at = |file: &str, line: usize, reason: &dyn Display| format!("{file}:{line}: {reason}");
    let policy = Policy::parse(BUILT_IN).unwrap_or_else(|error| {
        let fault = |fault: &policy::PolicyFault| at("policy.toml", fault.line, &fault.reason);
        panic!("\n{}\n", lines(error.faults(), fault))
    });
    let cases = Cases::read(CASES).unwrap_or_else(|faults| {
        let fault = |fault: &Fault| at("policy-cases.toml", fault.line, &fault.reason);
        panic!("\n{}\n", lines(&faults, fault))
    });
    let failures = cases.failures(&policy);
    let shown = lines(&failures, |failure| format!("policy-cases.toml:{failure}"));
    let (failed, count) = (failures.len(), cases.count());
    assert!(failures.is_empty(), "\n{shown}\n{failed} of {count} cases fail\n");
    println!("{count} cases pass");
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}
