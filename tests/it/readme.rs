//! The tables of variables in the README, `docs/configuration.md` and the template match the code.
//! `UPDATE_DOCS=1 cargo test --test it readme` writes the tables of both pages.

use std::collections::BTreeSet;
use std::fs;

use roomkey::config::{BY_PROVIDER, RECOGNIZED, REQUIRED, VARIABLES, Variable};

const HEAD: &str = "| Variable | Meaning | Default |\n|---|---|---|\n";

fn path(page: &str) -> String {
    format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(path(page)).expect(page)
}

fn row(variable: &Variable) -> String {
    let Variable { name, default, doc } = variable;
    let default = match *default {
        "" => "–".to_owned(),
        REQUIRED | RECOGNIZED | BY_PROVIDER => (*default).to_owned(),
        _ => format!("`{default}`"),
    };
    format!("| `{name}` | {doc} | {default} |\n")
}

/// The name of the variable that a line of a table is about.
fn name_in(line: &str) -> Option<&str> {
    let name = line.strip_prefix("| `")?.split('`').next()?;
    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then_some(name)
}

/// The page with its only table of variables replaced, and the names that it had.
fn with_table(page: &str, rows: impl Fn(&[&str]) -> String) -> (String, Vec<String>) {
    let (before, rest) = page.split_once(HEAD).expect("a table of variables");
    assert!(!rest.contains(HEAD), "two tables of variables");
    let table: String =
        rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    let names: Vec<_> = table.lines().filter_map(name_in).collect();
    assert_eq!(names.len(), table.lines().count(), "a row without a variable:\n{table}");
    let after = &rest[table.len()..];
    let replaced = format!("{before}{HEAD}{}{after}", rows(&names));
    (replaced, names.into_iter().map(str::to_owned).collect())
}

/// Compares the page with `expected`, after writing it if that was requested.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
fn compare(page: &str, expected: &str) {
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(path(page), expected).expect(page);
    }
    let is_current = read(page) == expected;
    assert!(is_current, "{page}: run UPDATE_DOCS=1 cargo test --test it readme");
}

#[test]
fn configuration_page_lists_every_variable() {
    let all = |_: &[&str]| VARIABLES.iter().map(row).collect();
    let (expected, _) = with_table(&read("docs/configuration.md"), all);
    compare("docs/configuration.md", &expected);
}

#[test]
fn readme_lists_known_variables_and_all_required_ones() {
    let listed = |names: &[&str]| {
        VARIABLES.iter().filter(|variable| names.contains(&variable.name)).map(row).collect()
    };
    let (expected, names) = with_table(&read("README.md"), listed);
    for name in &names {
        let is_known = VARIABLES.iter().any(|variable| variable.name == name);
        assert!(is_known, "the README lists {name}, which the code does not read");
    }
    for variable in VARIABLES.iter().filter(|variable| variable.default == REQUIRED) {
        assert!(names.iter().any(|name| name == variable.name), "{} is required", variable.name);
    }
    compare("README.md", &expected);
}

#[test]
fn meaning_of_every_variable_fits_a_table_cell() {
    for Variable { name, doc, .. } in VARIABLES {
        let words = doc.split_whitespace().count();
        assert!((1..=12).contains(&words), "{name}: {words} words");
        assert!(!doc.contains('|') && !doc.ends_with('.'), "{name}: {doc}");
    }
}

/// `sam local` sets only variables that the template declares.
#[test]
fn template_declares_every_variable() {
    let template = read("template.yaml");
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
