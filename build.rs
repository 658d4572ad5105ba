//! Tells `src/http/dashboard.rs` whether there is a page to embed: one that its sources make. A stale one is left out, and
//! the binary then answers `/monitoring` with how to build it.

#[path = "build/packed.rs"]
mod packed;
#[path = "build/page.rs"]
mod page;

use std::{
    env, io,
    path::{Path, PathBuf},
};

use self::page::{Page, SOURCES};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build/packed.rs");
    println!("cargo::rerun-if-changed=build/page.rs");
    println!("cargo::rerun-if-changed=frontend/dist");
    for source in SOURCES {
        println!("cargo::rerun-if-changed=frontend/{source}");
    }
    println!("cargo::rustc-check-cfg=cfg(page)");
    let why = match page::page(Path::new("frontend"))? {
        Page::Fresh => {
            println!("cargo::rustc-cfg=page");
            let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
            return packed::pack(Path::new("frontend/dist"), &out.join("page"));
        }
        Page::Missing => "has not been built",
        Page::Stale => "in frontend/dist is not what its sources make",
    };
    println!("cargo::warning=the dashboard {why}, so it is not in this binary: run `make frontend`, then build again");
    Ok(())
}
