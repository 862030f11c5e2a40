//! The order of modules: imports point downward in the list of `src/lib.rs`, and no files of a folder
//! import each other in a circle.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The modules of the table in `src/lib.rs`, in order.
fn listed_in_lib() -> Vec<String> {
    let rows = include_str!("../src/lib.rs").lines();
    rows.filter_map(|line| Some(line.strip_prefix("// | `")?.split_once('`')?.0.to_owned()))
        .collect()
}

/// The modules of the first table of `docs/ARCHITECTURE.md`, in order.
fn listed_in_architecture() -> Vec<String> {
    let page = include_str!("../docs/ARCHITECTURE.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| Module |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

/// The first segments of all `crate::…` paths of `text`.
fn imports(text: &str) -> impl Iterator<Item = String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1).map(first_word).collect::<Vec<_>>())
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The files of the folder of `file` that its `super::…` and `crate::…` paths name.
fn siblings(file: &Path, source: &Path) -> BTreeSet<PathBuf> {
    let folder = file.parent().unwrap().strip_prefix(source).unwrap();
    let folder: Vec<_> = folder.iter().map(|name| name.to_str().unwrap()).collect();
    let own = [&["crate"], &folder[..], &[""]].concat().join("::");
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = lines.join("\n");
    let mut names = Vec::new();
    for prefix in ["super::", &own] {
        for path in code.split(prefix).skip(1) {
            match path.strip_prefix('{').and_then(|group| group.split(';').next()) {
                None => names.push(first_word(path)),
                Some(group) => names.extend(group.split(',').map(|item| first_word(item.trim()))),
            }
        }
    }
    let paths = names.iter().map(|name| file.with_file_name(name).with_extension("rs"));
    paths.filter(|path| path.is_file() && path != file).collect()
}

/// The top-level module of a file, or `None` for `lib.rs` and `main.rs`.
fn module_of(file: &Path, source: &Path) -> Option<String> {
    let relative = file.strip_prefix(source).unwrap();
    let first = relative.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

#[test]
fn imports_point_downward_in_the_list_of_modules() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = listed_in_lib();
    let level = |module: &str| modules.iter().position(|listed| listed == module);
    let mut faults = Vec::new();
    for file in rust_files(&source) {
        let Some(module) = module_of(&file, &source) else { continue };
        let Some(own) = level(&module) else {
            faults.push(format!("{module} is not in the list of src/lib.rs"));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            match level(&import) {
                Some(other) if other >= own => {}
                Some(_) => faults.push(format!("{}: imports {import}", file.display())),
                None => {
                    faults.push(format!("{}: imports {import}, not in the list", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn architecture_page_lists_the_modules_of_the_crate_in_order() {
    assert_eq!(listed_in_architecture(), listed_in_lib());
}

#[test]
fn files_of_a_folder_import_each_other_without_a_circle() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source).into_iter();
    let mut imports: BTreeMap<PathBuf, BTreeSet<PathBuf>> =
        files.map(|file| (file.clone(), siblings(&file, &source))).collect();
    // Files whose imports have all been removed are removed, until only circles remain.
    while let Some(file) = imports
        .iter()
        .find(|(_, imported)| !imported.iter().any(|file| imports.contains_key(file)))
        .map(|(file, _)| file.clone())
    {
        imports.remove(&file);
    }
    assert!(imports.is_empty(), "circles: {imports:#?}");
}
