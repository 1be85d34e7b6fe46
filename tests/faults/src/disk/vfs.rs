//! The VFS itself: SQLite's default one with [`methods`](super::methods) put around the files of
//! mounted disks. Registered once per process, as the default, and never unregistered.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Once, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::ffi::{self, SQLITE_OK, sqlite3_file, sqlite3_vfs};

use super::methods::{self, Opening};
use super::shared::Shared;
use crate::random::Random;
use crate::world;

/// Sorted maps, here and elsewhere: a `HashMap` would take its keys from the world of whoever comes
/// first.
static MOUNTED: RwLock<BTreeMap<PathBuf, Arc<Shared>>> = RwLock::new(BTreeMap::new());

/// From the beginning of SQLite's calendar to 1970, in milliseconds.
const JULIAN_1970_MS: i64 = 210_866_760_000_000;
const DAY_MS: f64 = 86_400_000.0;

pub(super) fn mount(disk: &Arc<Shared>) {
    install();
    let mut mounted = MOUNTED.write().unwrap_or_else(PoisonError::into_inner);
    let before = mounted.insert(disk.root.clone(), Arc::clone(disk));
    if let Some(before) = before {
        mounted.insert(before.root.clone(), before);
        drop(mounted);
        panic!("{}: a disk is mounted there already", disk.root.display());
    }
}

pub(super) fn unmount(root: &Path) {
    MOUNTED.write().unwrap_or_else(PoisonError::into_inner).remove(root);
}

/// The disk that a file belongs to: that of the deepest mount above it.
fn disk_of(path: &Path) -> Option<Arc<Shared>> {
    let mounted = MOUNTED.read().unwrap_or_else(PoisonError::into_inner);
    if mounted.is_empty() {
        return None;
    }
    path.ancestors().find_map(|above| mounted.get(above)).cloned()
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: `sqlite3_vfs_find(NULL)` gives the default VFS, which lives as long as the
        // process; ours is leaked, so it does as well, and only SQLite refers to it.
        let code = unsafe {
            // Statistics of memory cost a lock for each allocation, and nothing here reads them. Where SQLite
            // runs already it refuses, and keeps them.
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0);
            ffi::sqlite3_initialize();
            let real = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!real.is_null(), "SQLite has no default VFS");
            let ours = Box::new(sqlite3_vfs {
                iVersion: 2,
                szOsFile: methods::slot_bytes((*real).szOsFile),
                pNext: ptr::null_mut(),
                zName: c"roadbook-faults".as_ptr(),
                pAppData: real.cast(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_pathname),
                xRandomness: Some(randomness),
                xSleep: Some(sleep),
                xCurrentTime: Some(current_time),
                xCurrentTimeInt64: Some(current_time_int64),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
                // The rest of the real VFS does not look at which VFS it is called through.
                ..ptr::read(real)
            });
            ffi::sqlite3_vfs_register(Box::into_raw(ours), 1)
        };
        assert_eq!(code, SQLITE_OK, "SQLite did not take the VFS");
    });
}

/// # Safety
/// `vfs` must be ours, as SQLite passes it.
unsafe fn real(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: the contract; `install` put the real VFS there.
    unsafe { (*vfs).pAppData.cast() }
}

/// # Safety
/// `name` must be null or a C string that outlives the result.
unsafe fn path_of<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the contract.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// Calls a function of the real VFS; it has them all.
macro_rules! call {
    ($vfs:expr, $name:ident, $($arg:expr),*) => {{
        let real = real($vfs);
        match (*real).$name {
            Some(function) => function(real, $($arg),*),
            None => ffi::SQLITE_ERROR,
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let tracked = ffi::SQLITE_OPEN_MAIN_DB
        | ffi::SQLITE_OPEN_MAIN_JOURNAL
        | ffi::SQLITE_OPEN_SUPER_JOURNAL
        | ffi::SQLITE_OPEN_WAL;
    // SAFETY: SQLite passes a name that outlives the file, and a buffer of `szOsFile` bytes: room
    // for a slot of ours with a real file behind it, so also for a real file alone.
    unsafe {
        let disk = match path_of(name) {
            Some(path) if flags & tracked != 0 => disk_of(path).map(|disk| (disk, path)),
            _ => None,
        };
        let Some((disk, path)) = disk else {
            return call!(vfs, xOpen, name, file, flags, out);
        };
        let opening = Opening::new(file);
        let main = flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
        let opened =
            disk.open(path, main, || call!(vfs, xOpen, name, opening.real_file(), flags, out));
        match opened {
            Ok(tracked) => {
                opening.done(disk, tracked);
                SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite passes a C string.
    unsafe {
        match path_of(name).and_then(|path| disk_of(path).map(|disk| (disk, path))) {
            Some((disk, path)) => disk.delete(path, sync != 0, || call!(vfs, xDelete, name, 0)),
            None => call!(vfs, xDelete, name, sync),
        }
    }
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a C string and an integer to be written.
    unsafe {
        if path_of(name).and_then(disk_of).is_some_and(|disk| disk.is_dead()) {
            return ffi::SQLITE_IOERR_ACCESS;
        }
        call!(vfs, xAccess, name, flags, out)
    }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: handed on as SQLite passed it.
    unsafe { call!(vfs, xFullPathname, name, room, out) }
}

/// SQLite asks once per process, to seed its own generator, so this must not take from the stream of
/// whichever world comes first.
unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    if !world::inside() {
        // SAFETY: handed on as SQLite passed it.
        return unsafe { call!(vfs, xRandomness, room, out) };
    }
    let Ok(len) = usize::try_from(room) else { return 0 };
    // SAFETY: SQLite passes `room` bytes to be written.
    let bytes = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), len) };
    Random::new(0).fill(bytes);
    room
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, micros: c_int) -> c_int {
    if world::inside() {
        world::advance(Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
        return micros;
    }
    // SAFETY: handed on as SQLite passed it.
    unsafe { call!(vfs, xSleep, micros) }
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    match world::now_ms() {
        Some(now) => {
            // SAFETY: SQLite passes a number to be written.
            unsafe { out.write((JULIAN_1970_MS + now) as f64 / DAY_MS) };
            SQLITE_OK
        }
        // SAFETY: handed on as SQLite passed it.
        None => unsafe { call!(vfs, xCurrentTime, out) },
    }
}

unsafe extern "C" fn current_time_int64(vfs: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    match world::now_ms() {
        Some(now) => {
            // SAFETY: SQLite passes a number to be written.
            unsafe { out.write(JULIAN_1970_MS + now) };
            SQLITE_OK
        }
        // SAFETY: handed on as SQLite passed it.
        None => unsafe { call!(vfs, xCurrentTimeInt64, out) },
    }
}
