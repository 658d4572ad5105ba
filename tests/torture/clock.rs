//! The wall clock of one process, which jumps when it is told to.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A process that is started with this clock sees the machine's time and what has been added here.
pub struct WallClock {
    library: PathBuf,
    path: PathBuf,
    file: File,
    milliseconds: i64,
}

impl WallClock {
    /// The clocks of one house are made of the same library.
    pub fn new(house: &Path, whose: &str) -> Self {
        let (source, library, path) =
            (house.join("clock.c"), house.join("clock.so"), house.join(format!("clock-of-{whose}")));
        if !library.exists() {
            fs::write(&source, include_str!("wall_clock.c")).unwrap();
            let made = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
            assert!(made.is_ok_and(|status| status.success()), "cc, which Rust links with, does not make a library");
        }
        fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        Self { library, path, file, milliseconds: 0 }
    }

    pub fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("TORTURE_CLOCK", &self.path);
    }

    pub fn jump(&mut self, by_milliseconds: i64) {
        self.milliseconds += by_milliseconds;
        self.file.write_all_at(&self.milliseconds.to_ne_bytes(), 0).unwrap();
    }
}
