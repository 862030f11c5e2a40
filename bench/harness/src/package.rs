//! Size of a target in a deployment package.

use std::io::Write;
use std::path::Path;

use crate::Failure;

/// Overhead of a zip file per entry, in addition to two copies of its name, and per archive.
const PER_FILE: usize = 76;
const PER_ARCHIVE: usize = 22;

/// Size in bytes, raw and in a zip file.
#[derive(Clone, Copy, Default)]
pub struct Size {
    pub raw: usize,
    pub zipped: usize,
}

/// Returns the size of a program. A script with `#!` requires the files beside it, so they all count.
pub fn size(program: &Path) -> Result<Size, Failure> {
    let text = std::fs::read(program)?;
    let mut size = Size { raw: 0, zipped: PER_ARCHIVE };
    if text.starts_with(b"#!") {
        let root = program.parent().ok_or("the program has no directory")?;
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
