//! The dashboard in the binary is what its sources make, or it is not there.

#[path = "../../build/packed.rs"]
mod packed;

#[path = "../../build/page.rs"]
mod built;

use std::{fs, io::Read, path::Path};

use flate2::read::GzDecoder;
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

#[test]
fn what_is_packed_is_every_file_of_the_page_of_today() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (folder.path().join("dist"), folder.path().join("page"));
    fs::create_dir_all(from.join("assets")).unwrap();
    fs::write(from.join("assets/old.js"), "of yesterday").unwrap();
    packed::pack(&from, &to).unwrap();
    fs::rename(from.join("assets/old.js"), from.join("assets/new.js")).unwrap();
    fs::write(from.join("index.html"), "the page").unwrap();
    packed::pack(&from, &to).unwrap();
    let text = |name: &str| {
        let mut text = String::new();
        GzDecoder::new(fs::File::open(to.join(name)).unwrap()).read_to_string(&mut text).map(|_| text).unwrap()
    };
    assert_eq!((text("index.html"), text("assets/new.js")), ("the page".to_owned(), "of yesterday".to_owned()));
    assert!(!to.join("assets/old.js").exists());
}

#[test]
fn the_page_is_small_for_whoever_takes_gzip_and_the_same_for_everybody() {
    let daemon = Daemon::start("");
    let agent: ureq::Agent = ureq::Agent::config_builder().accept_encoding("identity").build().into();
    let ask = |encoding: &str, known: &str| {
        let request = agent.get(format!("http://{}/monitoring", daemon.address()));
        let mut answer = request.header("accept-encoding", encoding).header("if-none-match", known).call().unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let headers = ["content-encoding", "etag", "vary", "content-type"].map(header);
        (answer.status().as_u16(), headers, answer.body_mut().read_to_vec().unwrap())
    };
    let (_, [encoding, tag, vary, kind], whole) = ask("identity", "\"\"");
    assert_eq!((encoding, vary.as_deref(), kind.as_deref()), (None, Some("accept-encoding"), Some("text/html")));
    let (_, [encoding, packed_tag, vary, kind], packed) = ask("gzip, deflate, br", tag.as_deref().unwrap());
    assert_eq!(
        (encoding.as_deref(), vary.as_deref(), kind.as_deref()),
        (Some("gzip"), Some("accept-encoding"), Some("text/html"))
    );
    assert_ne!(tag, packed_tag, "what was kept of one is not the other");
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == whole && packed.len() < whole.len());
    let (status, _, nothing) = ask("gzip", packed_tag.as_deref().unwrap());
    assert_eq!((status, nothing.len()), (304, 0));
}
