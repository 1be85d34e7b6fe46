//! The methods of an open file of a mounted disk. Each asks [`Shared`] and hands on to the real
//! file, which lies in memory behind the slot.
//!
//! Memory-mapped reads are not offered (version 2 of the table), so that every read passes here.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::mem::size_of;
use std::ptr;
use std::slice;
use std::sync::Arc;

use rusqlite::ffi::{self, SQLITE_OK, sqlite3_file, sqlite3_io_methods};

use super::shared::{Real, Shared, Tracked};

/// What SQLite's memory for an open file begins with; the real file follows.
#[repr(C)]
pub(super) struct Slot {
    base: sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    disk: Arc<Shared>,
    file: Arc<Tracked>,
}

/// How many bytes SQLite must give for a file whose real one takes `real` bytes.
pub(super) fn slot_bytes(real: c_int) -> c_int {
    real + size_of::<Slot>() as c_int
}

/// SQLite's memory for a file that is being opened.
pub(super) struct Opening(*mut Slot);

impl Opening {
    /// Makes a slot that SQLite takes for a file that is not open.
    ///
    /// # Safety
    /// `file` must point to [`slot_bytes`] bytes that nobody else uses while the result lives.
    pub(super) unsafe fn new(file: *mut sqlite3_file) -> Opening {
        let slot = file.cast::<Slot>();
        let base = sqlite3_file { pMethods: ptr::null() };
        // SAFETY: the contract; SQLite's allocations are aligned to 8 bytes.
        unsafe { slot.write(Slot { base, handle: ptr::null_mut() }) };
        Opening(slot)
    }

    /// The real file's memory.
    pub(super) fn real_file(&self) -> *mut sqlite3_file {
        self.0.wrapping_add(1).cast()
    }

    /// The real file is open: from now on SQLite calls the methods here.
    pub(super) fn done(self, disk: Arc<Shared>, file: Arc<Tracked>) {
        let base = sqlite3_file { pMethods: &METHODS };
        let handle = Box::into_raw(Box::new(Handle { disk, file }));
        // SAFETY: the contract of `new`.
        unsafe { self.0.write(Slot { base, handle }) };
    }
}

/// # Safety
/// `file` must be an open file of ours, as SQLite passes it to the methods.
unsafe fn parts<'a>(file: *mut sqlite3_file) -> (&'a Handle, RealFile) {
    // SAFETY: the contract; `fill` set the handle, only `close` takes it away, and nothing follows
    // a close.
    unsafe {
        let slot = file.cast::<Slot>();
        (&*(*slot).handle, RealFile(slot.add(1).cast()))
    }
}

/// A file of the real VFS, open.
struct RealFile(*mut sqlite3_file);

/// Calls a method of the real file; a real file that has not got it answers with an I/O error.
macro_rules! call {
    ($real:expr, $name:ident $(, $arg:expr)*) => {{
        let real: *mut sqlite3_file = $real.0;
        match (*(*real).pMethods).$name {
            Some(method) => method(real $(, $arg)*),
            None => ffi::SQLITE_IOERR,
        }
    }};
}

impl Real for RealFile {
    fn read(&self, into: &mut [u8], offset: u64) -> c_int {
        // SAFETY: the real file is open, and the buffer is as long as is said.
        unsafe { call!(self, xRead, into.as_mut_ptr().cast(), into.len() as c_int, offset as i64) }
    }

    fn write(&self, data: &[u8], offset: u64) -> c_int {
        // SAFETY: the real file is open, and the buffer is as long as is said.
        unsafe { call!(self, xWrite, data.as_ptr().cast(), data.len() as c_int, offset as i64) }
    }

    fn truncate(&self, to: u64) -> c_int {
        // SAFETY: the real file is open.
        unsafe { call!(self, xTruncate, to as i64) }
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

// In all of these: SQLite passes an open file of ours, and arguments as its documentation of
// `sqlite3_io_methods` says.

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above; SQLite does not use the file after this.
    unsafe {
        let (_, real) = parts(file);
        let code = call!(real, xClose);
        let slot = &mut *file.cast::<Slot>();
        let handle = Box::from_raw(slot.handle);
        slot.handle = ptr::null_mut();
        slot.base.pMethods = ptr::null();
        handle.disk.close(&handle.file);
        code
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        let into = slice::from_raw_parts_mut(into.cast::<u8>(), n as usize);
        handle.disk.read(&real, into, at as u64)
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        let data = slice::from_raw_parts(data.cast::<u8>(), n as usize);
        handle.disk.write(&handle.file, &real, data, at as u64)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: i64) -> c_int {
    // SAFETY: as above.
    let (handle, real) = unsafe { parts(file) };
    handle.disk.truncate(&handle.file, &real, to as u64)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: as above.
    let (handle, _) = unsafe { parts(file) };
    handle.disk.sync(&handle.file)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        if handle.disk.is_dead() {
            return ffi::SQLITE_IOERR_FSTAT;
        }
        call!(real, xFileSize, out)
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        if handle.disk.is_dead() {
            return ffi::SQLITE_IOERR_LOCK;
        }
        call!(real, xLock, level)
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { call!(parts(file).1, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        if handle.disk.is_dead() {
            return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
        }
        call!(real, xCheckReservedLock, out)
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    match op {
        // These would change the file behind our back.
        ffi::SQLITE_FCNTL_CHUNK_SIZE
        | ffi::SQLITE_FCNTL_SIZE_HINT
        | ffi::SQLITE_FCNTL_MMAP_SIZE => ffi::SQLITE_NOTFOUND,
        // SAFETY: as above.
        _ => unsafe { call!(parts(file).1, xFileControl, op, arg) },
    }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above.
    unsafe { call!(parts(file).1, xSectorSize) }
}

/// Nothing is promised that a torn write could break: no atomic writes, no safe appends. That bytes
/// beside a write stay as they are is what the real VFS promises by default, and what the journal
/// keeps to.
unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    let kept = ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ;
    // SAFETY: as above.
    unsafe { call!(parts(file).1, xDeviceCharacteristics) & kept }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        if handle.disk.is_dead() {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        call!(real, xShmMap, region, bytes, extend, out)
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (handle, real) = parts(file);
        if flags & ffi::SQLITE_SHM_LOCK != 0 && handle.disk.is_dead() {
            return ffi::SQLITE_IOERR_SHMLOCK;
        }
        call!(real, xShmLock, offset, n, flags)
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as above.
    unsafe {
        let (_, real) = parts(file);
        if let Some(barrier) = (*(*real.0).pMethods).xShmBarrier {
            barrier(real.0);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { call!(parts(file).1, xShmUnmap, delete) }
}

const _: () = assert!(SQLITE_OK == 0 && size_of::<Slot>().is_multiple_of(8));
