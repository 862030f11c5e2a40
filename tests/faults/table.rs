//! The tables of `docs/reliability.md`, which show the results of these tests.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The result of one fault, in the words of the page.
pub(super) struct Row {
    fault: &'static str,
    responses: String,
    recovery: String,
    requests: String,
}

impl Row {
    pub(super) fn new(
        fault: &'static str,
        responses: &str,
        recovery: &str,
        requests: &str,
    ) -> Self {
        let (responses, recovery) = (responses.to_owned(), recovery.to_owned());
        Self { fault, responses, recovery, requests: requests.to_owned() }
    }

    fn line(&self) -> String {
        let Self { fault, responses, recovery, requests } = self;
        format!("| {fault} | {responses} | {recovery} | {requests} |")
    }
}

const HEAD: &str =
    "| Fault | Response | Recovery time | Requests to the upstream |\n|---|---|---|---|\n";

/// Fails unless the page's table of that name contains the row. With `UPDATE_RELIABILITY` the row
/// replaces the one of the same fault, or is added.
pub(super) fn compare(table: &str, row: &Row) {
    let line = row.line();
    println!("{table}: {line}");
    let start = format!("| {} |", row.fault);
    edit(table, |lines| match lines.iter_mut().find(|line| line.starts_with(&start)) {
        Some(shown) => shown.clone_from(&line),
        None => lines.push(line.clone()),
    });
}

/// Fails unless the page's table of that name has exactly these faults, in this order. With
/// `UPDATE_RELIABILITY` other rows are removed.
pub(super) fn compare_faults<'a>(table: &str, faults: impl IntoIterator<Item = &'a str>) {
    let starts: Vec<_> = faults.into_iter().map(|fault| format!("| {fault} |")).collect();
    edit(table, |lines| {
        let place =
            |line: &String| starts.iter().position(|start| line.starts_with(start.as_str()));
        lines.retain(|line| place(line).is_some());
        lines.sort_by_key(place);
        assert!(is_updated() || lines.len() == starts.len(), "{table}: {} rows", lines.len());
    });
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
fn is_updated() -> bool {
    std::env::var("UPDATE_RELIABILITY").is_ok()
}

/// Applies `change` to the lines of a table, and compares or writes the result.
fn edit(table: &str, change: impl FnOnce(&mut Vec<String>)) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = fs::read_to_string(&path).expect("docs/reliability.md");
    let start = format!("<!-- {table} -->\n");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no table {table}"));
    let (shown, after) = rest.split_once("<!-- end -->").expect("the end of the table");
    let mut lines: Vec<String> =
        shown.lines().filter(|line| line.starts_with('|')).skip(2).map(str::to_owned).collect();
    change(&mut lines);
    let wanted = format!("\n{HEAD}{}\n\n", lines.join("\n"));
    if is_updated() {
        fs::write(&path, format!("{before}{start}{wanted}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(shown, wanted, "{table}: run with UPDATE_RELIABILITY=1 to write it");
    }
}
