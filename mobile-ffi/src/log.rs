//! The library's log, handed to the app.
//!
//! Only this project's own lines: what other libraries write could hold anything. Lines wait in a
//! bounded queue for one background thread, so that a slow sink stops nobody; what does not fit is
//! counted and told.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata};

use crate::border::{guarded, outward};
use crate::error::{Result, RoadbookError};

/// Lines that wait for the sink.
const LINES_MAX: usize = 1_024;
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 4_096;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed that should not.
    Error,
    /// Something is not as it should be; it goes on.
    Warn,
    /// What happens, in few lines.
    Info,
    /// What happens, in many.
    Debug,
    /// Everything: the only level that may hold data of contacts. Never in production.
    Trace,
}

/// Takes the lines of the log. Implemented by the app; called from one background thread, one line at
/// a time.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// One line: its level, the part of the library that wrote it, the text.
    fn log(&self, level: LogLevel, target: String, message: String);
}

/// Sends the library's log, from `level` on upwards in importance, to this sink; none silences it. For
/// the whole process: a later call replaces the sink.
///
/// `NotAllowed` where the process has another consumer of Rust's `tracing`.
#[uniffi::export]
pub fn set_log_sink(level: LogLevel, sink: Option<Arc<dyn LogSink>>) -> Result<()> {
    guarded("set_log_sink", || {
        let log = log()?;
        let rank = if sink.is_some() { rank(level) } else { 0 };
        *log.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
        log.rank.store(rank, Ordering::SeqCst);
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    })
}

struct Line {
    level: LogLevel,
    target: &'static str,
    message: String,
}

struct Log {
    sink: Mutex<Option<Arc<dyn LogSink>>>,
    /// 0: nothing, 1: errors ... 5: everything.
    rank: AtomicU8,
    lines: SyncSender<Line>,
    lost: AtomicU64,
}

fn rank(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    }
}

fn level(level: &Level) -> LogLevel {
    match *level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// The one log of the process.
fn log() -> Result<&'static Arc<Log>> {
    static LOG: OnceLock<Option<Arc<Log>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let (lines, inbox) = sync_channel(LINES_MAX);
        let log = Arc::new(Log {
            sink: Mutex::new(None),
            rank: AtomicU8::new(0),
            lines,
            lost: AtomicU64::new(0),
        });
        tracing::subscriber::set_global_default(Subscriber(Arc::clone(&log))).ok()?;
        let deliverer = Arc::clone(&log);
        let thread = std::thread::Builder::new().name("roadbook-log".into());
        thread.spawn(move || deliver(&deliverer, &inbox)).ok()?;
        Some(log)
    });
    log.as_ref().ok_or_else(|| RoadbookError::NotAllowed {
        reason: "another part of this process has taken the log already".into(),
    })
}

fn deliver(log: &Log, inbox: &Receiver<Line>) {
    for line in inbox {
        // Not held while the app is called: it may set another sink meanwhile.
        let sink = log.sink.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sink) = sink else { continue };
        let lost = log.lost.swap(0, Ordering::SeqCst);
        if lost > 0 {
            let message = format!("{lost} lines were left out: the sink is too slow");
            let target = "roadbook_ffi::log".to_owned();
            outward_quietly(|| sink.log(LogLevel::Warn, target, message));
        }
        outward_quietly(|| sink.log(line.level, line.target.to_owned(), line.message));
    }
}

/// Calls the sink; that it threw is not written to the log, which would call it again.
fn outward_quietly(call: impl FnOnce()) {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
        outward("log", call);
    });
}

struct Subscriber(Arc<Log>);

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("roadbook")
            && rank(level(metadata.level())) <= self.0.rank.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.rank.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let line = Line {
            level: level(metadata.level()),
            target: metadata.target(),
            message: text.line(),
        };
        if let Err(TrySendError::Full(_)) = self.0.lines.try_send(line) {
            self.0.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// An event as text: the message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn line(mut self) -> String {
        self.message.push_str(&self.fields);
        let mut end = LINE_BYTES_MAX.min(self.message.len());
        while !self.message.is_char_boundary(end) {
            end -= 1;
        }
        self.message.truncate(end);
        self.message
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text can't fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
