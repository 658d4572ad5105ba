//! A disk that is really full, and has room again when the story says so.

use std::{
    cell::Cell,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;

/// Set in a process that makes do with a limit on the size of its files.
const LIMITED: &str = "SATTVA_TEST_LIMITED";

/// A tmpfs of its own size; where this process may not mount one, a limit on the size of files.
pub struct SmallDisk {
    place: TempDir,
    mounted: bool,
    /// Whose files a limit is for; `None` is this process.
    writer: Cell<Option<Pid>>,
}

impl SmallDisk {
    /// Says loudly why it is not a tmpfs, if it is not.
    fn new(kib: usize) -> Self {
        Self::mounted(kib).unwrap_or_else(|refusal| {
            eprintln!(
                "NO TMPFS CAN BE MOUNTED HERE ({refusal}): a limit on the size of files stands in for a full disk"
            );
            Self { place: TempDir::new().unwrap(), mounted: false, writer: Cell::default() }
        })
    }

    /// A tmpfs, or why it is not to be had.
    pub fn mounted(kib: usize) -> Result<Self, String> {
        let place = TempDir::new().unwrap();
        mount(place.path(), kib)?;
        Ok(Self { place, mounted: true, writer: Cell::default() })
    }

    /// Tells a story on a small disk: here; or, where only a limit is to be had, in a child that gets an error
    /// where it or one of its own children goes past the limit, instead of a signal that kills it.
    pub fn tell(kib: usize, test: &str, story: impl FnOnce(&Self)) {
        let disk = Self::new(kib);
        if disk.mounted || std::env::var_os(LIMITED).is_some() {
            return story(&disk);
        }
        let mut child = Command::new("sh");
        child.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        let told = child.args(["--exact", test, "--nocapture"]).env(LIMITED, "1").status().unwrap();
        assert!(told.success(), "see above what happened under a limit on the size of files");
    }

    /// Another process is the one that writes to this disk.
    #[allow(dead_code, reason = "the store writes by itself; the daemon's stories in tests/it/ need it")]
    pub fn is_written_by(&self, pid: u32) {
        self.writer.set(Pid::from_raw(pid as i32));
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes all the room there is but so many bytes.
    pub fn fill_but(&self, left: u64) {
        if !self.mounted {
            let sizes = fs::read_dir(self.path()).unwrap().flatten().map(|file| file.metadata().unwrap().len());
            return self.limit(Some(sizes.max().unwrap_or(0) + left));
        }
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        let mut block = 65_536;
        while block > 0 {
            if filler.write_all(&vec![1; block]).is_err() {
                block /= 2;
            }
        }
        let full = filler.metadata().unwrap().len();
        filler.set_len(full.saturating_sub(left)).unwrap();
    }

    pub fn make_room(&self) {
        if self.mounted {
            fs::remove_file(self.filler()).unwrap();
        } else {
            self.limit(getrlimit(Resource::Fsize).maximum);
        }
    }

    fn limit(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum };
        prlimit(self.writer.get(), Resource::Fsize, limit).unwrap();
    }
}

fn mount(place: &Path, kib: usize) -> Result<(), String> {
    let size = format!("size={kib}k");
    let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).output();
    let output = output.map_err(|error| error.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if !self.mounted {
            return;
        }
        let unmounted = Command::new("umount").arg("--lazy").arg(self.place.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.place.path().display());
        }
    }
}
