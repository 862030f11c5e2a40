//! The tables of `docs/reliability.md`, which are what these tests saw.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// One fault, as the page tells it.
pub(super) struct Row {
    fault: &'static str,
    callers: String,
    heals: String,
    asked: String,
}

impl Row {
    pub(super) fn new(fault: &'static str, callers: &str, heals: &str, asked: &str) -> Self {
        println!("{fault} | {callers} | {heals} | {asked}");
        let (callers, heals, asked) = (callers.to_owned(), heals.to_owned(), asked.to_owned());
        Self { fault, callers, heals, asked }
    }
}

/// Insists that the page's table called `name` has these rows and no others.
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
pub(super) fn compare(name: &str, rows: &[Row]) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = fs::read_to_string(&path).expect("docs/reliability.md");
    let start = format!("<!-- {name} -->\n");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no table {name}"));
    let (shown, after) = rest.split_once("<!-- end -->").expect("the end of the table");
    let table = table(rows);
    if std::env::var("UPDATE_RELIABILITY").is_ok() {
        fs::write(&path, format!("{before}{start}{table}<!-- end -->{after}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "{name}: UPDATE_RELIABILITY=1 updates it");
}

fn table(rows: &[Row]) -> String {
    let head =
        "| Fault | Response | Recovery time | Requests to the upstream |\n|---|---|---|---|\n";
    let row = |row: &Row| {
        format!("| {} | {} | {} | {} |\n", row.fault, row.callers, row.heals, row.asked)
    };
    format!("\n{head}{}\n", rows.iter().map(row).collect::<String>())
}
