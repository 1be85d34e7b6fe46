//! Containing panics of decoding and merging hostile bytes, without flooding the error output.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<u32> = const { Cell::new(0) };
}

/// Installs, once per process, a panic hook that prints nothing for panics which the guard contains
/// on the same thread, and hands every other panic to the hook that was there before.
///
/// Call it in `main` after the program's own hook is set. Without it the guard works the same, but
/// each contained panic is printed, so a hostile device could fill the log.
pub fn quiet_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CONTAINED.get() == 0 {
                before(info);
            }
        }));
    });
}

/// Runs `work`; a panic becomes its message. What `work` changed must be thrown away then.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CONTAINED.set(CONTAINED.get().saturating_sub(1));
        }
    }
    CONTAINED.set(CONTAINED.get().saturating_add(1));
    let leave = Leave;
    let outcome = catch_unwind(AssertUnwindSafe(work));
    drop(leave);
    outcome.map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        text.chars().take(200).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_becomes_its_message_and_the_next_one_is_loud_again() {
        quiet_panics();
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(
            contained(|| panic!("as {}", "expected")).map(|()| 0),
            Err("as expected".to_owned())
        );
        let nested =
            contained(|| contained(|| panic!("inner")).map_err(|_: String| CONTAINED.get()));
        assert_eq!(nested, Ok(Err::<(), u32>(1)));
        assert_eq!(CONTAINED.get(), 0);
        let long = contained(|| panic!("{}", "x".repeat(10_000))).map(|()| 0);
        assert_eq!(long.map_err(|text| text.len()), Err(200));
    }
}
