//! Runs the functions of `tests/corpus/targets.rs`. `cargo test` replays the inputs that were found through
//! the same functions.

#[path = "../../tests/corpus/targets.rs"]
mod targets;

/// Runs the target `name` on `input`.
///
/// # Panics
///
/// If there is no such target, or if the target fails on `input`.
pub fn run(name: &str, input: &[u8]) {
    let target = targets::TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of that name").1(input);
}
