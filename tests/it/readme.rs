//! The README's table of variables is the code's, and so is the template's list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use roomkey::config::VARIABLES;

/// Name and default of every row of a table whose first cell is a variable's name.
fn documented(page: &str) -> BTreeMap<String, String> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        let is_name =
            name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let default = cells.iter().rev().find(|cell| !cell.is_empty())?;
        is_name.then(|| (name, default.replace('`', "")))
    });
    rows.collect()
}

#[test]
fn lists_every_variable_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let documented = documented(&fs::read_to_string(path).expect("README.md"));
    for variable in VARIABLES {
        let default = documented.get(variable.name);
        let default = default.unwrap_or_else(|| panic!("{} is not in the README", variable.name));
        let default = default.trim_matches('–');
        assert_eq!(default, variable.default, "the default of {}", variable.name);
    }
    for name in documented.keys() {
        let known = VARIABLES.iter().any(|variable| variable.name == name);
        assert!(known, "the README documents {name}, which the code does not read");
    }
}

/// `sam local` hands on only what the template declares.
#[test]
fn the_template_declares_every_variable() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml");
    let template = fs::read_to_string(path).expect("template.yaml");
    let declared: BTreeSet<&str> = template
        .lines()
        .skip_while(|line| line.trim() != "Variables:")
        .skip(1)
        .take_while(|line| line.starts_with("          "))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.trim().split(':').next())
        .collect();
    let read: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(declared, read);
}
