//! The functions of the C library that this crate defines anew.
//!
//! Who calls what: the standard library `clock_gettime`, `getrandom` (both for the keys of maps and,
//! as a weak symbol, elsewhere) and `clock_nanosleep`; `getrandom` 0.2, which `ring` uses, goes
//! through `syscall`; later versions of it look `getrandom` up by name; C code `gettimeofday` and
//! `time`. `syscall` also carries every futex of the standard library, so it must be forwarded
//! exactly. Nothing here may allocate, lock or panic: it runs at any point of any thread.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::mem;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use libc::{clockid_t, size_t, ssize_t, suseconds_t, time_t, timespec, timeval};

use super::{STATE, advance, fill, inside};

/// Makes the linker take this object file, and with it all definitions below.
pub(super) fn keep() {
    std::hint::black_box([
        clock_gettime as *const c_void,
        getrandom as *const c_void,
        syscall as *const c_void,
        clock_nanosleep as *const c_void,
        nanosleep as *const c_void,
        gettimeofday as *const c_void,
        time as *const c_void,
    ]);
}

/// The C library's own function of a name, looked up once.
struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(std::ptr::null_mut()) }
    }

    fn get(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if !found.is_null() {
            return found;
        }
        // SAFETY: the name ends in a zero byte; RTLD_NEXT skips this program's definition.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if found.is_null() {
            // SAFETY: always sound. Without the real function no thread of the process can go on.
            unsafe { libc::abort() }
        }
        self.found.store(found, Ordering::Relaxed);
        found
    }
}

/// Calls the C library's own function.
macro_rules! real {
    ($name:ident($($arg:expr),*): fn($($kind:ty),*) -> $result:ty) => {{
        static REAL: Real = Real::new({
            const NAME: &[u8] = concat!(stringify!($name), "\0").as_bytes();
            match CStr::from_bytes_with_nul(NAME) {
                Ok(name) => name,
                Err(_) => panic!("a name without a zero byte"),
            }
        });
        // SAFETY: the C library declares this function with this signature, and the arguments are
        // those that our caller passed to it.
        unsafe {
            let function =
                mem::transmute::<*mut c_void, unsafe extern "C" fn($($kind),*) -> $result>(
                    REAL.get(),
                );
            function($($arg),*)
        }
    }};
}

fn virtual_time(clock: clockid_t) -> Option<timespec> {
    let state = STATE.get()?;
    let ns = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => state.wall_ns,
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME => i128::from(state.monotonic_ns),
        // The processor time that a thread has used stays real: it measures, it decides nothing.
        _ => return None,
    };
    Some(timespec {
        tv_sec: ns.div_euclid(1_000_000_000) as time_t,
        tv_nsec: ns.rem_euclid(1_000_000_000) as c_long,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int {
    match virtual_time(clock) {
        Some(now) if !out.is_null() => {
            // SAFETY: the caller passes a `timespec` to be written, as the C library demands.
            unsafe { out.write(now) };
            0
        }
        _ => real!(clock_gettime(clock, out): fn(clockid_t, *mut timespec) -> c_int),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(out: *mut timeval, zone: *mut c_void) -> c_int {
    match virtual_time(libc::CLOCK_REALTIME) {
        Some(now) if !out.is_null() => {
            let now = timeval { tv_sec: now.tv_sec, tv_usec: (now.tv_nsec / 1_000) as suseconds_t };
            // SAFETY: the caller passes a `timeval` to be written, as the C library demands.
            unsafe { out.write(now) };
            0
        }
        _ => real!(gettimeofday(out, zone): fn(*mut timeval, *mut c_void) -> c_int),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn time(out: *mut time_t) -> time_t {
    let Some(now) = virtual_time(libc::CLOCK_REALTIME) else {
        return real!(time(out): fn(*mut time_t) -> time_t);
    };
    if !out.is_null() {
        // SAFETY: the caller passes null or a `time_t` to be written.
        unsafe { out.write(now.tv_sec) };
    }
    now.tv_sec
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(out: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller passes `len` bytes to be written.
    if unsafe { fill_raw(out, len) } {
        return len as ssize_t;
    }
    real!(getrandom(out, len, flags): fn(*mut c_void, size_t, c_uint) -> ssize_t)
}

/// Variadic in C. On the platforms that we run on, a variadic function receives integers and
/// pointers as any other does; the C library itself forwards all six to the kernel, whichever of
/// them its caller gave.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // SAFETY: the caller of this system call passes `b` bytes at `a` to be written.
    if number == libc::SYS_getrandom && unsafe { fill_raw(a as *mut c_void, b as size_t) } {
        return b;
    }
    if number == libc::SYS_clock_gettime
        && let Some(now) = virtual_time(a as clockid_t)
        && b != 0
    {
        // SAFETY: the caller of this system call passes a `timespec` to be written.
        unsafe { (b as *mut timespec).write(now) };
        return 0;
    }
    if number == libc::SYS_futex && d != 0 && inside() {
        // SAFETY: the caller of this system call passes a word, and a `timespec` to be read.
        if let Some(error) = unsafe { wait(a as *const u32, b, c, d as *const timespec) } {
            // SAFETY: the place of this thread's error number.
            unsafe { *libc::__errno_location() = error };
            return -1;
        }
    }
    real!(syscall(number, a, b, c, d, e, f):
        fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nanosleep(wanted: *const timespec, left: *mut timespec) -> c_int {
    if inside() && !wanted.is_null() {
        // SAFETY: the caller passes a `timespec` to be read.
        sleep(unsafe { wanted.read() });
        return 0;
    }
    real!(nanosleep(wanted, left): fn(*const timespec, *mut timespec) -> c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    wanted: *const timespec,
    left: *mut timespec,
) -> c_int {
    if !wanted.is_null()
        && let Some(now) = virtual_time(clock)
    {
        // SAFETY: the caller passes a `timespec` to be read.
        let wanted = unsafe { wanted.read() };
        sleep(if flags & libc::TIMER_ABSTIME != 0 { until(wanted, now) } else { wanted });
        return 0;
    }
    real!(clock_nanosleep(clock, flags, wanted, left):
        fn(clockid_t, c_int, *const timespec, *mut timespec) -> c_int)
}

/// A wait with a time limit, under every `Condvar` and `park_timeout`. The kernel would measure a
/// virtual time against the real clock. In a world nobody else runs, so nothing but time can end the
/// wait: the clock moves to the limit. The error number of the answer; `None` for other operations.
///
/// # Safety
/// `word` and `limit` must be what the kernel demands of a wait.
unsafe fn wait(
    word: *const u32,
    operation: c_long,
    expected: c_long,
    limit: *const timespec,
) -> Option<c_int> {
    let operation = operation as c_int;
    let absolute = match operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) {
        libc::FUTEX_WAIT => false,
        libc::FUTEX_WAIT_BITSET => true,
        _ => return None,
    };
    // SAFETY: the contract; the word is only ever changed atomically.
    if unsafe { AtomicU32::from_ptr(word.cast_mut()) }.load(Ordering::SeqCst) != expected as u32 {
        return Some(libc::EAGAIN);
    }
    let clock = match operation & libc::FUTEX_CLOCK_REALTIME {
        0 => libc::CLOCK_MONOTONIC,
        _ => libc::CLOCK_REALTIME,
    };
    // SAFETY: the contract.
    let limit = unsafe { limit.read() };
    sleep(match virtual_time(clock) {
        Some(now) if absolute => until(limit, now),
        _ => limit,
    });
    Some(libc::ETIMEDOUT)
}

fn until(limit: timespec, now: timespec) -> timespec {
    let mut left =
        timespec { tv_sec: limit.tv_sec - now.tv_sec, tv_nsec: limit.tv_nsec - now.tv_nsec };
    if left.tv_nsec < 0 {
        left.tv_nsec += 1_000_000_000;
        left.tv_sec -= 1;
    }
    left
}

fn sleep(wanted: timespec) {
    if let (Ok(seconds), Ok(nanos)) =
        (u64::try_from(wanted.tv_sec), u32::try_from(wanted.tv_nsec.clamp(0, 999_999_999)))
    {
        advance(Duration::new(seconds, nanos));
    }
}

/// Fills the caller's buffer from the world; `false` outside of one.
///
/// # Safety
/// `out` must be null or point to `len` bytes that may be written.
unsafe fn fill_raw(out: *mut c_void, len: size_t) -> bool {
    if !inside() || (out.is_null() && len > 0) {
        return false;
    }
    if len == 0 {
        return true;
    }
    // SAFETY: the contract of this function; bytes may hold anything, and all are written.
    fill(unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), len) })
}
