//! A file that is nowhere on a disk.

use std::{
    fs::File,
    io::{Seek, Write},
    os::fd::AsRawFd,
    path::PathBuf,
};

pub struct MemoryFile(File);

impl MemoryFile {
    pub fn holding(text: &[u8]) -> Self {
        let file = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).expect("memory is a file");
        let mut file = File::from(file);
        file.write_all(text).and_then(|()| file.rewind()).expect("there is room in memory");
        Self(file)
    }

    /// Whoever opens this begins at its beginning.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}
