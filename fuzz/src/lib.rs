//! What is fuzzed stands in `tests/corpus/targets.rs`: `cargo test` replays what was found with the
//! same functions.

#[path = "../../tests/corpus/targets.rs"]
mod targets;

/// Gives `input` to the target of that name.
pub fn run(name: &str, input: &[u8]) {
    let target = targets::TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of that name").1(input);
}
