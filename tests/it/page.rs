//! The dashboard in the binary is what its sources make, or it is not there.

#[path = "../../build/page.rs"]
mod built;

use std::{fs, path::Path};

use tempfile::TempDir;

use self::built::{Page, SOURCES, hash, page};
use crate::daemon::Daemon;

/// Sources of a page, and the page as the build of the frontend leaves it.
struct Frontend(TempDir);

impl Frontend {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for source in SOURCES {
            let path = folder.path().join(source);
            if source.contains('.') {
                fs::write(path, source).unwrap();
            } else {
                fs::create_dir_all(path.join("inner")).unwrap();
                fs::write(path.join("inner/one.ts"), "1").unwrap();
            }
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn build(&self) {
        fs::create_dir_all(self.path().join("dist")).unwrap();
        let stamp = hash(self.path()).unwrap();
        self.write("dist/index.html", &format!("<meta name=\"sources\" content=\"{stamp}\">"));
    }

    fn page(&self) -> Page {
        page(self.path()).unwrap()
    }
}

#[test]
fn a_page_is_stale_as_soon_as_any_of_its_sources_is_another() {
    let frontend = Frontend::new();
    assert_eq!(frontend.page(), Page::Missing);
    frontend.build();
    assert_eq!(frontend.page(), Page::Fresh);
    for change in
        ["index.html", "package-lock.json", "vite.config.ts", "src/inner/one.ts", "public/inner/one.ts", "src/new.ts"]
    {
        frontend.build();
        frontend.write(change, "changed");
        assert_eq!(frontend.page(), Page::Stale, "{change}");
    }
    frontend.build();
    fs::rename(frontend.path().join("src/new.ts"), frontend.path().join("src/renamed.ts")).unwrap();
    assert_eq!(frontend.page(), Page::Stale);
    frontend.build();
    fs::remove_file(frontend.path().join("src/renamed.ts")).unwrap();
    assert_eq!(frontend.page(), Page::Stale);
}

#[test]
fn a_page_is_not_stale_for_a_test_and_one_without_a_stamp_is() {
    let frontend = Frontend::new();
    frontend.build();
    frontend.write("src/inner/one.test.ts", "2");
    assert_eq!(frontend.page(), Page::Fresh);
    frontend.write("dist/index.html", "<html></html>");
    assert_eq!(frontend.page(), Page::Stale);
}

#[test]
fn this_binary_has_the_page_of_these_sources_or_says_how_to_build_it() {
    let answer = Daemon::start("").get("/monitoring");
    let stamp = format!("content=\"{}\"", hash(&Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend")).unwrap());
    match answer.status {
        200 => assert!(answer.text.contains(&stamp), "the binary has another page: {}", answer.text),
        404 => assert!(answer.text.contains("make frontend"), "{}", answer.text),
        other => panic!("{other}: {}", answer.text),
    }
}
