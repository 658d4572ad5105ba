//! What the fuzz targets have found stays found: every committed input, through the laws they fuzz.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use redis::FromRedisValue;
use sattva_actors::{
    channel::{
        policy::Policy,
        stream::{Absence, Stream},
    },
    clock::{BootId, Now, Stamp, Timestamp, WallTime},
    identity::ChannelId,
    store::redis::{Written, leases::Tenures},
};

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

/// Else a change of the format leaves the fuzzer with nothing to begin from.
#[test]
fn what_is_committed_as_written_by_this_daemon_and_its_scripts_is_what_it_reads() {
    let corpus = fuzz().join("corpus/redis_values");
    let mut records = 0;
    for name in names("corpus/redis_values").iter().filter(|name| name.starts_with("a_record")) {
        let record = fs::read(corpus.join(name)).unwrap();
        let now = Now { at: Timestamp::from_secs(3600), wall: WallTime::from_millis(1_800_000_000_000) };
        let here = Stamp { boot: BootId::from_u128(1), now };
        let jazz = ChannelId::new("jazz").unwrap();
        let read = Stream::restore(jazz, &record, None, here, Absence::WallClock, &Policy::default());
        assert!(read.is_ok(), "{name}: {:?}", read.err());
        records += 1;
    }
    assert!(records >= 4);
    let answer = |name: &str| redis::parse_redis_value(&fs::read(corpus.join(name)).unwrap()).unwrap();
    assert!(Tenures::from_redis_value(answer("leases")).is_ok());
    assert!(Written::from_redis_value(answer("written")).is_ok());
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
