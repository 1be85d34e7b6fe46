//! What the replica takes from the world besides its files: time and random bytes. Both are
//! injected, so that tests can be wrong by years and repeat themselves.

use std::sync::Arc;

use chrono::NaiveDate;
use ring::rand::{SecureRandom, SystemRandom};
use roadbook_protocol::ids::UnixMs;

/// Tells the time. It may be wrong by years: nothing but what is shown depends on it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> UnixMs;
    /// The calendar day where the reader is.
    fn today(&self) -> NaiveDate;
}

/// Gives random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// The clock of the machine, in its own time zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> UnixMs {
        chrono::Utc::now().timestamp_millis()
    }
    fn today(&self) -> NaiveDate {
        chrono::Local::now().date_naive()
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl Default for SystemEntropy {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the operating system always has random bytes; without them no key is safe");
    }
}

/// 16 random bytes.
pub(crate) fn random16(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes
}

/// 10 random bytes, as a UUIDv7 takes them.
pub(crate) fn random10(entropy: &dyn Entropy) -> [u8; 10] {
    let mut bytes = [0; 10];
    entropy.fill(&mut bytes);
    bytes
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// `synchronous=FULL`: what returned survives a power cut.
    #[default]
    Full,
    /// No waiting: for tests that measure or simulate, never for people's data.
    Off,
}

/// How a replica is opened. `Default` is what programs use.
#[derive(Clone)]
pub struct OpenOptions {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Whether commits wait for the disk.
    pub durability: Durability,
    /// What identifies the machine; `None` reads it from the operating system. A replica that is
    /// opened on another machine than it was made on takes a new actor before its next edit.
    pub machine_id: Option<String>,
    /// How many opened documents are kept in memory (each some 20-100 kB).
    pub documents_max: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            durability: Durability::Full,
            machine_id: None,
            documents_max: 128,
        }
    }
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("durability", &self.durability)
            .field("machine_id", &self.machine_id)
            .field("documents_max", &self.documents_max)
            .finish_non_exhaustive()
    }
}
