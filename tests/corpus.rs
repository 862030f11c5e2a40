//! Replays the inputs that fuzzing found through the functions that were fuzzed (`docs/testing.md`): each
//! input reaches code that no other input reaches.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at that line")]

#[path = "corpus/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use targets::TARGETS;

/// The inputs of a packed file (`fuzz/corpus.py`): a JSON string or `{"base64": "…"}` in each line.
fn unpack(packed: &str) -> Vec<Vec<u8>> {
    let input = |line| match serde_json::from_str(line).unwrap() {
        Value::String(text) => text.into_bytes(),
        packed => STANDARD.decode(packed["base64"].as_str().unwrap()).unwrap(),
    };
    packed.lines().map(input).collect()
}

#[test]
fn packed_corpus_is_replayed_through_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, target) in TARGETS {
        let inputs = unpack(&fs::read_to_string(root.join(name).with_extension("jsonl")).unwrap());
        assert!(inputs.len() > 10, "{name} has hardly any inputs");
        for (index, input) in inputs.iter().enumerate() {
            println!("{name}.jsonl:{}", index + 1); // shown if the target panics
            target(input);
        }
    }
}

#[test]
fn packed_file_exists_for_every_target_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let packed: BTreeSet<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let targets = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(packed, targets);
}

#[test]
fn packed_input_keeps_bytes_that_are_not_utf_8() {
    let packed = concat!(r#""a\nb""#, "\n", r#"{"base64": "/w=="}"#, "\n", r#""""#, "\n");
    assert_eq!(unpack(packed), [b"a\nb".to_vec(), vec![0xff], vec![]]);
}
