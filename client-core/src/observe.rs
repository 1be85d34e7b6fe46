//! Observers: whoever shows a contact, the list or the state of sync hears that it changed.
//!
//! An observer gets the present state at once, then one notice for any number of changes since it
//! last looked: it can be slow without anything piling up. Dropping it ends it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use roadbook_protocol::ids::ContactId;
use tokio::sync::Notify;

/// What is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One contact: its document, its conflicts, its receipts.
    Contact(ContactId),
    /// The list as a whole: which contacts there are, and their rows.
    List,
    /// Receipts, progress, connection.
    Sync,
}

/// What an observer is told: look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What changed.
    pub topic: Topic,
    /// How many changes there were since the observer was made; 0 is the present state at once.
    pub version: u64,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    blocking: Condvar,
    waiting: Notify,
}

#[derive(Default)]
struct State {
    version: u64,
    seen: Option<u64>,
    closed: bool,
}

impl Signal {
    fn take(&self) -> Option<Option<u64>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen != Some(state.version) {
            state.seen = Some(state.version);
            return Some(Some(state.version));
        }
        state.closed.then_some(None)
    }
    fn raise(&self, close: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if close {
            state.closed = true;
        } else {
            state.version += 1;
        }
        drop(state);
        self.blocking.notify_all();
        self.waiting.notify_one();
    }
}

/// One subscription. One thread or task at a time waits on it.
pub struct Observer {
    topic: Topic,
    signal: Arc<Signal>,
}

impl Observer {
    /// What is observed.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// The next notice; the first comes at once. `None` when the replica was closed.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            let notified = self.signal.waiting.notified();
            if let Some(taken) = self.signal.take() {
                return taken.map(|version| Notice { topic: self.topic, version });
            }
            notified.await;
        }
    }

    /// The same for a thread: waits up to `timeout`, `None` when nothing changed or the replica was
    /// closed.
    pub fn next_blocking(&mut self, timeout: Duration) -> Option<Notice> {
        let deadline = Instant::now() + timeout;
        let mut state = self.signal.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.seen != Some(state.version) {
                state.seen = Some(state.version);
                return Some(Notice { topic: self.topic, version: state.version });
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if state.closed {
                return None;
            }
            state = self
                .signal
                .blocking
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The notice that is waiting, if there is one; never waits.
    pub fn try_next(&mut self) -> Option<Notice> {
        self.signal.take().flatten().map(|version| Notice { topic: self.topic, version })
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// All observers of a replica.
#[derive(Default)]
pub(crate) struct Hub {
    topics: Mutex<HashMap<Topic, Vec<Weak<Signal>>>>,
}

impl Hub {
    pub(crate) fn observe(&self, topic: Topic) -> Observer {
        let signal = Arc::new(Signal::default());
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let signals = topics.entry(topic).or_default();
        signals.retain(|signal| signal.strong_count() > 0);
        signals.push(Arc::downgrade(&signal));
        Observer { topic, signal }
    }

    /// Tells the observers of these topics. Each is told once however often it is named.
    pub(crate) fn notify(&self, notices: &Notices) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|topic, signals| {
            if notices.concerns(topic) {
                signals.retain(|signal| match signal.upgrade() {
                    Some(signal) => {
                        signal.raise(false);
                        true
                    }
                    None => false,
                });
            }
            !signals.is_empty()
        });
    }

    /// Ends all observers.
    pub(crate) fn close(&self) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for signal in topics.drain().flat_map(|(_, signals)| signals) {
            if let Some(signal) = signal.upgrade() {
                signal.raise(true);
            }
        }
    }
}

/// What a transaction changed, for the observers.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    pub contacts: std::collections::HashSet<ContactId>,
    pub list: bool,
    pub sync: bool,
    /// All of it: whether anything may be read has changed.
    pub everything: bool,
}

impl Notices {
    /// For when it changed whether anything may be read.
    pub(crate) fn of_everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    fn concerns(&self, topic: &Topic) -> bool {
        let concerned = match topic {
            Topic::Contact(id) => self.contacts.contains(id),
            Topic::List => self.list,
            Topic::Sync => self.sync,
        };
        concerned || self.everything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Notices {
        Notices { list: true, ..Notices::default() }
    }

    #[test]
    fn the_present_state_comes_at_once_and_many_changes_come_as_one() {
        let hub = Hub::default();
        let mut observer = hub.observe(Topic::List);
        assert_eq!(observer.try_next().map(|notice| notice.version), Some(0));
        assert_eq!(observer.try_next(), None);
        for _ in 0..5 {
            hub.notify(&list());
        }
        assert_eq!(observer.try_next().map(|notice| notice.version), Some(5));
        assert_eq!(observer.try_next(), None);
    }

    #[test]
    fn an_observer_hears_of_its_own_topic_only_and_ends_with_the_replica() {
        let hub = Hub::default();
        let mut observer = hub.observe(Topic::Sync);
        observer.try_next();
        hub.notify(&list());
        assert_eq!(observer.try_next(), None);
        hub.close();
        assert_eq!(observer.next_blocking(Duration::from_secs(10)), None);
    }

    #[tokio::test]
    async fn a_task_is_woken_by_a_change() {
        let hub = Arc::new(Hub::default());
        let mut observer = hub.observe(Topic::List);
        observer.next().await;
        let other = Arc::clone(&hub);
        let waiting = tokio::spawn(async move { observer.next().await });
        other.notify(&list());
        assert_eq!(waiting.await.unwrap().map(|notice| notice.version), Some(1));
    }
}
