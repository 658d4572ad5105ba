//! What the fuzz targets have found stays found: every committed input, through the laws they fuzz.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, fs, path::PathBuf};

/// Each law with the name of its target, which is the name of its corpus too.
macro_rules! laws {
    ($($law:ident $file:literal)*) => {
        $(#[path = $file] mod $law;)*
        const LAWS: &[(&str, fn(&[u8]))] = &[$((stringify!($law), $law::hold)),*];
    };
}

laws! {
    client_texts "../../fuzz/laws/client_texts.rs"
    config "../../fuzz/laws/config.rs"
    deflate "../../fuzz/laws/deflate.rs"
    icecast "../../fuzz/laws/icecast.rs"
    ingest "../../fuzz/laws/ingest.rs"
    janus "../../fuzz/laws/janus.rs"
    nginx_rtmp "../../fuzz/laws/nginx_rtmp.rs"
    redis_values "../../fuzz/laws/redis_values.rs"
    tokens "../../fuzz/laws/tokens.rs"
    websocket_frames "../../fuzz/laws/websocket_frames.rs"
}

#[path = "../../fuzz/laws/memory_file.rs"]
mod memory_file;
#[path = "../../fuzz/laws/xml.rs"]
mod xml;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a folder, without their endings.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap_or_else(|error| panic!("fuzz/{folder}: {error}"));
    let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn every_committed_input_keeps_the_laws_of_its_target() {
    for (target, hold) in LAWS {
        for entry in fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            hold(&fs::read(&path).unwrap());
        }
    }
}

#[test]
fn no_fuzz_target_is_without_a_corpus_a_law_that_is_kept_here_and_a_place_in_the_manifest() {
    let targets = names("fuzz_targets");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let of_manifest = manifest.split("[[bin]]\nname = \"").skip(1).map(|bin| bin.split('"').next().unwrap().to_owned());
    assert_eq!(of_manifest.collect::<BTreeSet<_>>(), targets, "in fuzz/Cargo.toml");
    assert_eq!(LAWS.iter().map(|(target, _)| (*target).to_owned()).collect::<BTreeSet<_>>(), targets, "in this test");
    assert_eq!(names("corpus"), targets, "in fuzz/corpus");
    for target in &targets {
        let inputs = names(&format!("corpus/{target}")).len();
        assert!(inputs >= 3, "fuzz/corpus/{target} has {inputs} inputs");
    }
}
