//! What the fuzz targets do with any bytes. The targets themselves (`tests/fuzz`) are a line each; the
//! work is here, so that an ordinary test replays what they found.
//!
//! | file | targets |
//! |---|---|
//! | `guard` | `gate1`, `merge`, `snapshot`: changes and documents |
//! | `wire` | `frame`: messages of a websocket |
//! | `session` | `server_session`, `client_session`: what may happen to a session, in any order |
//! | `office` | `office`: requests to the managers' pages; `filter`: the filter language |
//! | `import` | `import`: files of contacts and purchases |
//!
//! A target returns, or panics where a promise is broken. None of them may need more memory or time
//! than its bytes are worth.

mod guard;
mod import;
mod office;
mod session;
mod wire;

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("frame", wire::frame),
    ("gate1", guard::gate1),
    ("merge", guard::merge),
    ("snapshot", guard::snapshot),
    ("server_session", session::server),
    ("client_session", session::client),
    ("filter", office::filter),
    ("office", office::office),
    ("import", import::import),
];

/// The target of that name.
///
/// # Panics
/// Where there is none.
pub fn target(name: &str) -> fn(&[u8]) {
    TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target of that name").1
}

/// Bytes as a source of small decisions. At their end it says zero for ever.
#[derive(Debug, Clone, Copy)]
struct Script<'b>(&'b [u8]);

impl<'b> Script<'b> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `bound`, which is at most 256.
    fn below(&mut self, bound: usize) -> usize {
        self.byte() as usize % bound
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Mostly a small number, now and then any.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..240 => u64::from(small),
            _ => u64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    /// So many bytes, or what is left.
    fn take(&mut self, count: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
