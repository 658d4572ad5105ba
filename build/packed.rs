//! The page as the binary has it: every file compressed, for that is how browsers take it.

use std::{fs, io, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};

/// Compresses what is in `from` into `to`, under the same names, and nothing else is there afterwards.
pub fn pack(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            pack(&from, &to)?;
            continue;
        }
        let mut packed = GzEncoder::new(fs::File::create(to)?, Compression::best());
        packed.write_all(&fs::read(from)?)?;
        packed.finish()?;
    }
    Ok(())
}
