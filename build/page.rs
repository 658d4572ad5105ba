//! Whether the dashboard in `frontend/dist` is the one that its sources make.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It has not been built.
    Missing,
    /// It was built of other sources.
    Stale,
    Fresh,
}

/// What the page is made of, below `frontend/`; `frontend/sources.ts` has the same list.
pub const SOURCES: [&str; 5] = ["index.html", "package-lock.json", "public", "src", "vite.config.ts"];

/// The page in `frontend` says what it was built of: the hash is in its head.
pub fn page(frontend: &Path) -> io::Result<Page> {
    let Ok(html) = fs::read_to_string(frontend.join("dist/index.html")) else { return Ok(Page::Missing) };
    let is_fresh = html.contains(&format!("name=\"sources\" content=\"{}\"", hash(frontend)?));
    Ok(if is_fresh { Page::Fresh } else { Page::Stale })
}

/// Of the path, the length and the bytes of every source but the tests, in the order of their paths.
pub fn hash(frontend: &Path) -> io::Result<String> {
    let mut sources = BTreeMap::new();
    for name in SOURCES {
        gather(frontend, name.to_owned(), &mut sources)?;
    }
    let mut hash = Sha256::new();
    for (name, path) in sources {
        let bytes = fs::read(path)?;
        hash.update(format!("{name}\n{}\n", bytes.len()));
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn gather(frontend: &Path, name: String, sources: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    let path = frontend.join(&name);
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let inner = entry?.file_name();
            gather(frontend, format!("{name}/{}", inner.to_string_lossy()), sources)?;
        }
    } else if !name.contains(".test.") {
        sources.insert(name, path);
    }
    Ok(())
}
