//! Sees to it that the dashboard's folder exists and that a changed one is embedded anew.

use std::{fs, path::Path};

fn main() {
    let built = Path::new("frontend/dist");
    println!("cargo::rerun-if-changed=frontend/dist");
    println!("cargo::rerun-if-changed=frontend/src");
    println!("cargo::rerun-if-changed=frontend/index.html");
    if !built.join("index.html").exists() {
        // The binary then answers /monitoring with how to build it.
        let _ = fs::create_dir_all(built);
        println!("cargo::warning=the dashboard has not been built and will be missing: run `make frontend` first");
        return;
    }
    if newest(Path::new("frontend/src")) > newest(built) {
        println!("cargo::warning=the dashboard in frontend/dist is older than its source: run `make frontend`");
    }
}

/// When the newest file below a folder was changed.
fn newest(folder: &Path) -> Option<std::time::SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let times = entries.flatten().filter_map(|entry| match entry.file_type().ok()?.is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().ok()?.modified().ok(),
    });
    times.max()
}
