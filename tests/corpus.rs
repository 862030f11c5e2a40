//! What fuzzing found worth keeping, through the same functions (`docs/testing.md`): each input reaches
//! code that no other does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at that line")]

#[path = "corpus/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use targets::TARGETS;

/// Every directory of `tests/corpus` belongs to a target, and every target has inputs.
#[test]
fn is_replayed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(root.join(name)).unwrap().collect();
        assert!(files.len() > 10, "{name} has hardly any inputs");
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display()); // shown where the target panics
            target(&fs::read(&path).unwrap());
        }
    }
    let directories =
        fs::read_dir(&root).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(directories.count(), TARGETS.len());
}
