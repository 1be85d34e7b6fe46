//! The border between Rust and the app: a panic on this side becomes an error with a report, never
//! the end of the app.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Once};

use futures_util::FutureExt;
use tokio::runtime::Runtime;

use crate::error::{Result, RoadbookError};

/// How threads of this library are called.
const THREAD: &str = "roadbook";
/// The longest report, in bytes.
const REPORT_BYTES_MAX: usize = 2_000;

thread_local! {
    static GUARDED: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where everything runs that waits for a network: two threads, however many replicas are open. It
/// lives as long as the process, so that no thread of the app ever has to wait for its end.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(THREAD)
            .enable_all()
            .build()
            .expect("a process that can't start two threads can't run the app either")
    });
    &RUNTIME
}

/// Makes panics that are caught here silent, and remembers where they were.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    roadbook_protocol::guard::quiet_panics();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = GUARDED.get() > 0
                || std::thread::current().name().is_some_and(|name| name.starts_with(THREAD));
            if !ours {
                return before(info);
            }
            let place = info.location().map(ToString::to_string);
            PLACE.with(|kept| *kept.borrow_mut() = place);
        }));
    });
}

/// Runs one call of the app; a panic becomes [`RoadbookError::Panic`].
pub(crate) fn guarded<T>(call: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            GUARDED.set(GUARDED.get().saturating_sub(1));
        }
    }
    GUARDED.set(GUARDED.get().saturating_add(1));
    let leave = Leave;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        failpoint(call);
        work()
    }));
    drop(leave);
    outcome.unwrap_or_else(|payload| Err(report(call, payload.as_ref())))
}

/// The same for what runs on the runtime.
pub(crate) async fn guarded_task<T>(
    call: &'static str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let work = async {
        failpoint(call);
        work.await
    };
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|payload| Err(report(call, payload.as_ref())))
}

/// Calls the app's own code: what it throws is noted and harms nobody. `false` if it threw.
pub(crate) fn outward(what: &'static str, call: impl FnOnce()) -> bool {
    match guarded(what, || {
        call();
        Ok(())
    }) {
        Ok(()) => true,
        Err(_) => {
            // What it threw may hold anything; the app has its own means to see it.
            tracing::warn!(what, "the app's own code threw an error, which is ignored");
            false
        }
    }
}

fn report(call: &str, payload: &(dyn Any + Send)) -> RoadbookError {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let place = PLACE.with(|kept| kept.borrow_mut().take()).unwrap_or_else(|| "unknown".into());
    // The message may quote a contact: it is told to the caller, not to the log.
    tracing::error!(call, place, "a call failed inside the library");
    let mut report = format!(
        "a defect of the library in `{call}`: {message} (at {place}; roadbook-ffi {}, {} {}); the replica stays usable, please send this to the makers of the app",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    let mut end = REPORT_BYTES_MAX.min(report.len());
    while !report.is_char_boundary(end) {
        end -= 1;
    }
    report.truncate(end);
    RoadbookError::Panic { report }
}

/// `ROADBOOK_FFI_PANIC=edit` makes the call of that name panic, in debug builds only: how the tests in
/// every language see what an app would see.
fn failpoint(call: &str) {
    if cfg!(debug_assertions) && std::env::var("ROADBOOK_FFI_PANIC").is_ok_and(|name| name == call)
    {
        panic!("asked for by ROADBOOK_FFI_PANIC");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_the_call_the_message_and_the_place() {
        install();
        assert_eq!(guarded("fine", || Ok(7)), Ok(7));
        let error = guarded::<()>("list", || panic!("as {}", "planted")).unwrap_err();
        let RoadbookError::Panic { report } = error else { panic!("{error:?}") };
        for part in ["`list`", "as planted", "border.rs:"] {
            assert!(report.contains(part), "{part} is missing: {report}");
        }
        let long = guarded::<()>("long", || panic!("{}", "ö".repeat(10_000))).unwrap_err();
        assert!(long.to_string().len() <= REPORT_BYTES_MAX);
    }

    #[test]
    fn a_panic_of_a_task_becomes_an_error_too() {
        install();
        let task = guarded_task::<()>("sync_once", async {
            tokio::task::yield_now().await;
            panic!("later")
        });
        let error = runtime().block_on(runtime().spawn(task)).unwrap().unwrap_err();
        assert!(error.to_string().contains("later"), "{error}");
        assert!(error.to_string().contains("border.rs:"), "{error}");
    }

    #[test]
    fn what_the_app_throws_is_contained() {
        install();
        assert!(outward("observer", || {}));
        assert!(!outward("observer", || panic!("thrown by the app")));
    }
}
