//! What the replica takes from the world besides its files: time and random bytes. Both are
//! injected, so that tests can be wrong by years and repeat themselves.

use std::sync::Arc;

use chrono::NaiveDate;
use ring::rand::{SecureRandom, SystemRandom};
use roadbook_protocol::ids::UnixMs;

use crate::keys::{KeyStore, Signer};

/// Tells the time. It may be wrong by years: nothing but what is shown depends on it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> UnixMs;
    /// The calendar day where the reader is.
    fn today(&self) -> NaiveDate;
    /// How long the machine has been running, sleep included, which nobody can turn back; `None` where
    /// it can't tell: then the wall clock has to do.
    fn since_boot(&self) -> Option<Uptime> {
        None
    }
}

/// The time since a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// Tells one boot from another.
    pub boot: String,
    /// Milliseconds.
    pub ms: i64,
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
    #[cfg(unix)]
    fn since_boot(&self) -> Option<Uptime> {
        use rustix::time::{ClockId, clock_gettime};
        static BOOT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        // On Linux the monotonic clock stops in sleep; on Apple it does not.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        // Elsewhere a boot is told by the clock that begins anew.
        let boot = BOOT.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
        });
        let ms = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
        Some(Uptime { boot: boot.trim().to_owned(), ms })
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
    /// Who keeps the secrets of this replica, the key of its database among them; `None`: files in its
    /// directory.
    pub keys: Option<Arc<dyn KeyStore>>,
    /// Signs in the name of the device; `None`: a key among the secrets does. A device that was enrolled
    /// with one is opened with the same.
    pub signer: Option<Arc<dyn Signer>>,
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
            keys: None,
            signer: None,
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
