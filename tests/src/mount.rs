//! Small and read-only file systems for tests of full and unwritable disks. Mounting needs root; a
//! test that can't mount fails and says so, since a skipped proof is none.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `mount` or `umount`.
fn change(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    assert!(
        output.status.success(),
        "`{program} {}` failed: {}this test mounts file systems of its own and needs root (CAP_SYS_ADMIN); run \
         it as root or in a privileged container",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A file system that is there as long as this value, empty at first, of a fixed size.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts it on a directory, which is made if need be.
    pub fn mount(at: &Path, bytes: u64) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={bytes},mode=0700");
        change("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", at.to_str().unwrap()]);
        Self { at: at.to_owned() }
    }
    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
    /// Fills it up but for so many bytes, in whole pages of the file system.
    pub fn leave_free(&self, bytes: usize) {
        self.free();
        let mut file = File::create(self.ballast()).unwrap();
        let page = [0u8; 4096];
        while file.write_all(&page).is_ok() {}
        // The last page that did not fit may have been begun.
        let written = file.metadata().unwrap().len();
        file.set_len(written.saturating_sub(bytes as u64)).unwrap();
    }
    /// Frees what [`Self::leave_free`] took.
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open on it does not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// A directory that can't be written to, not even by root, as long as this value is there.
pub struct ReadOnly {
    at: PathBuf,
}

impl ReadOnly {
    /// Makes it read-only. Nobody may have a file in it open for writing.
    pub fn make(at: &Path) -> Self {
        let text = at.to_str().unwrap();
        change("mount", &["--bind", text, text]);
        let made = Self { at: at.to_owned() };
        change("mount", &["-o", "remount,ro,bind", text]);
        made
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
