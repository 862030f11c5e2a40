//! What a target takes in a deployment package.

use std::io::Write;
use std::path::Path;

use crate::Failure;

/// What a zip file adds to each file beside its name, which it holds twice, and once to all.
const PER_FILE: usize = 76;
const PER_ARCHIVE: usize = 22;

/// Bytes as they are and as a zip file holds them.
#[derive(Clone, Copy, Default)]
pub struct Size {
    pub raw: usize,
    pub zipped: usize,
}

/// A program that starts with `#!` is of no use without the files beside it: then they all count.
pub fn size(program: &Path) -> Result<Size, Failure> {
    let text = std::fs::read(program)?;
    let mut size = Size { raw: 0, zipped: PER_ARCHIVE };
    if text.starts_with(b"#!") {
        let root = program.parent().ok_or("no directory")?;
        add_directory(root, root, &mut size)?;
    } else {
        add(&text, "bootstrap", &mut size)?;
    }
    Ok(size)
}

fn add_directory(root: &Path, directory: &Path, size: &mut Size) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            add_directory(root, &path, size)?;
        } else {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            add(&std::fs::read(&path)?, &name, size)?;
        }
    }
    Ok(())
}

fn add(content: &[u8], name: &str, size: &mut Size) -> Result<(), Failure> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(content)?;
    size.raw += content.len();
    size.zipped += packed.finish()?.len() + PER_FILE + 2 * name.len();
    Ok(())
}
