//! What is counted over all purchases at once: the ledger in memory, and the classes of customers that
//! filters ask for.
//!
//! Both follow from every purchase there is, so that a single merge can't keep them. They are made when
//! somebody asks and purchases were written since; but at most a twentieth of the time is spent on it:
//! while an import writes purchases without end, what was read a few seconds ago is given again. Whoever
//! shows a figure shows with it of when it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use roadbook_protocol::ids::{UnixMs, WorkspaceId};

use super::handle::Engine;
use crate::insight::ledger::Ledger;
use crate::insight::{self, Day, abc, rfm};
use crate::store::standings::{self, Key, Standing};
use crate::store::{Result, facts};

/// What was read once is given again for so many times as long as the reading took.
const REST_FACTOR: u32 = 20;
/// Rows that are written in one transaction: others wait for it.
const WRITE_ROWS: usize = 2_000;

/// The ledgers of workspaces.
#[derive(Debug, Default)]
pub(super) struct Insight {
    ledgers: Mutex<HashMap<WorkspaceId, Kept>>,
    /// Held while classes are calculated, with when that was done last and how long it took.
    calculated: Mutex<HashMap<WorkspaceId, (Instant, Duration)>>,
}

#[derive(Debug, Clone)]
struct Kept {
    ledger: Arc<Ledger>,
    version: i64,
    as_of: UnixMs,
    at: Instant,
    took: Duration,
}

impl Engine {
    /// All purchases of a workspace, and as of when. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn ledger(&self, workspace: WorkspaceId) -> Result<(Arc<Ledger>, UnixMs)> {
        let version = self.read(facts::purchases_version)?;
        // Held while it is read, so that many who ask at once read it once.
        let ledgers = &self.shared.insight.ledgers;
        let mut ledgers = ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = ledgers.get_mut(&workspace) {
            if kept.version == version {
                kept.as_of = self.now_ms();
                return Ok((Arc::clone(&kept.ledger), kept.as_of));
            }
            if kept.at.elapsed() < kept.took * REST_FACTOR {
                return Ok((Arc::clone(&kept.ledger), kept.as_of));
            }
        }
        let started = Instant::now();
        let as_of = self.now_ms();
        let (ledger, version) = self.read(|conn| -> Result<_> {
            Ok((Arc::new(Ledger::read(conn, workspace)?), facts::purchases_version(conn)?))
        })?;
        let (at, took) = (Instant::now(), started.elapsed());
        let kept = Kept { ledger: Arc::clone(&ledger), version, as_of, at, took };
        ledgers.insert(workspace, kept);
        Ok((ledger, as_of))
    }

    /// Brings the classes of customers up to date, for filters that ask for them. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn refresh_standings(&self, workspace: WorkspaceId) -> Result<()> {
        let calculated = &self.shared.insight.calculated;
        let mut calculated = calculated.lock().unwrap_or_else(PoisonError::into_inner);
        let today = insight::day(
            chrono::DateTime::from_timestamp_millis(self.now_ms()).unwrap_or_default().date_naive(),
        );
        let (version, known) = self.read(|conn| -> Result<_> {
            Ok((facts::purchases_version(conn)?, standings::state(conn, workspace)?))
        })?;
        if known == Some((version, today)) {
            return Ok(());
        }
        if let Some((at, took)) = calculated.get(&workspace)
            && at.elapsed() < *took * REST_FACTOR
        {
            return Ok(());
        }
        let started = Instant::now();
        let (ledger, before) = self.read(|conn| -> Result<_> {
            Ok((Ledger::read(conn, workspace)?, standings::all(conn, workspace)?))
        })?;
        let now = classify(&ledger, today);
        let differs = now.iter().filter(|(key, standing)| before.get(*key) != Some(standing));
        let gone = before.keys().filter(|key| !now.contains_key(*key));
        let writes: Vec<(Key, Option<Standing>)> = differs
            .map(|(key, standing)| (key.clone(), Some(standing.clone())))
            .chain(gone.map(|key| (key.clone(), None)))
            .collect();
        for part in writes.chunks(WRITE_ROWS) {
            let part = part.to_vec();
            self.write(move |tx| {
                part.iter().try_for_each(|(key, standing)| {
                    standings::put(tx, workspace, key, standing.as_ref())
                })
            })?;
        }
        self.write(move |tx| standings::set_state(tx, workspace, (version, today)))?;
        calculated.insert(workspace, (Instant::now(), started.elapsed()));
        Ok(())
    }
}

/// The classes of all customers of a ledger, by quintiles over all purchases up to a day.
pub(crate) fn classify(ledger: &Ledger, today: Day) -> BTreeMap<Key, Standing> {
    let mut all = BTreeMap::new();
    for account in &ledger.accounts {
        let customers = account.customers(None, today);
        let amounts: Vec<i64> = customers.iter().map(|customer| customer.amount).collect();
        let scores = rfm::quintiles(&customers);
        let classes = abc::classes(&amounts);
        for ((customer, scores), class) in customers.iter().zip(scores).zip(classes) {
            let rfm::Scores { recency, frequency, monetary } = scores;
            let standing = Standing { recency, frequency, monetary, class: class.name() };
            all.insert((customer.n, account.currency.clone()), standing);
        }
    }
    all
}
