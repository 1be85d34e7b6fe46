//! Between the password and the second factor: a ticket that says whose password was right.
//!
//! In memory, bounded and short-lived; only a hash of it is kept. It opens nothing by itself.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};

use super::sign_in::By;
use crate::store::sql::sha256;

/// So many people are between the two at once.
const TICKETS_MAX: usize = 1_000;
/// How long somebody may take.
const VALID_MS: UnixMs = 5 * 60 * 1000;
/// Wrong codes before the password is asked for again.
const TRIES_MAX: u32 = 5;

/// Whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub workspace: WorkspaceId,
    pub user: UserId,
    /// Where to lead afterwards.
    pub next: String,
    /// What came before the second factor.
    pub by: By,
    until: UnixMs,
    tries: u32,
}

pub(super) struct Tickets(Mutex<LruCache<[u8; 32], Ticket>>);

impl Tickets {
    pub(super) fn new() -> Self {
        let most = NonZeroUsize::new(TICKETS_MAX).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(most)))
    }

    /// Remembers whose password was right under a random token.
    pub(super) fn give(
        &self,
        token: &str,
        workspace: WorkspaceId,
        user: UserId,
        next: &str,
        by: By,
        now: UnixMs,
    ) {
        let ticket = Ticket {
            workspace,
            user,
            next: next.chars().take(2_000).collect(),
            by,
            until: now + VALID_MS,
            tries: 0,
        };
        self.lock().put(sha256(token.as_bytes()), ticket);
    }

    /// The ticket of a token, for one more try.
    pub(super) fn attempt(&self, token: &str, now: UnixMs) -> Option<Ticket> {
        let (key, mut tickets) = (sha256(token.as_bytes()), self.lock());
        let ticket = tickets.get_mut(&key)?;
        ticket.tries += 1;
        if ticket.tries > TRIES_MAX || now >= ticket.until {
            tickets.pop(&key);
            return None;
        }
        Some(ticket.clone())
    }

    /// The ticket was used.
    pub(super) fn end(&self, token: &str) {
        self.lock().pop(&sha256(token.as_bytes()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_five_tries_and_five_minutes() {
        let tickets = Tickets::new();
        let (workspace, user) = (WorkspaceId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        tickets.give("a", workspace, user, "/", By::Password, 0);
        for _ in 0..TRIES_MAX {
            assert_eq!(tickets.attempt("a", 1).map(|ticket| ticket.user), Some(user));
        }
        assert_eq!(tickets.attempt("a", 1), None);
        tickets.give("b", workspace, user, "/", By::Password, 0);
        assert_eq!(tickets.attempt("b", VALID_MS), None);
        assert_eq!(tickets.attempt("unknown", 0), None);
        tickets.give("c", workspace, user, "/", By::Password, 0);
        tickets.end("c");
        assert_eq!(tickets.attempt("c", 0), None);
    }
}
