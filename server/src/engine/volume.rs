//! How much of the customer base somebody takes out of the server in a time: counted per person and way
//! of reading, limited, and told to managers where it is unusual.
//!
//! The count of this process is the truth; each entry is also written behind it without waiting for the
//! disk ([`crate::store::volumes`]), so that a restart goes on from there. What a power cut takes of the
//! last moment is the only thing that is not counted. Memory: an entry per person and way, of as many
//! numbers as the window has hours, and the last contacts that were read.
//!
//! What somebody's devices were given lately is not counted when it is sent again: first syncs of several
//! devices, on links that break off again and again, and repairs after a restore. And a device's limit is
//! never below a multiple of what its user holds. What runs into it is a base that is led through one
//! phone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::DateTime;
use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use serde::Serialize;
use serde_json::json;

use super::handle::Engine;
use super::types::Event;
use crate::store::alerts::{self, NewAlert};
use crate::store::{EngineError, Result, audit, contacts, volumes, workspaces};

/// A device may be given everything that its user holds so often within a window.
const HELD_TIMES: u64 = 5;
/// Contacts that somebody opened lately: looking at them again is not counted.
const RECENT_MAX: usize = 512;
/// Contacts that somebody's devices were given lately: sending them again is not counted.
const GIVEN_MAX: usize = 1 << 17;
/// Somebody who is held back and goes on trying counts up the alert at most so often.
const ALERT_EVERY_MS: UnixMs = 60_000;
/// The longest window.
pub const HOURS_MAX: u32 = 168;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// A way of reading contacts at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reading {
    /// Whole contacts that go to somebody's devices.
    Device,
    /// Contacts that somebody opens on the pages.
    Page,
    /// Lines of lists and of searches on the pages.
    List,
    /// Contacts in exports, also those of commands.
    Export,
    /// Contacts that somebody's keys read over the HTTP API.
    Api,
}

impl Reading {
    /// All of them.
    pub const ALL: [Reading; 5] =
        [Reading::Device, Reading::Page, Reading::List, Reading::Export, Reading::Api];

    /// As commands and tables name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reading::Device => "device",
            Reading::Page => "page",
            Reading::List => "list",
            Reading::Export => "export",
            Reading::Api => "api",
        }
    }

    /// What holds unless it is set otherwise.
    pub fn default_limit(self) -> Limit {
        let contacts = match self {
            Reading::Device => 1_000,
            Reading::Page => 500,
            Reading::List => 5_000,
            Reading::Export => 2_000,
            Reading::Api => 50_000,
        };
        Limit { contacts, hours: 24 }
    }

    fn remembered(self) -> usize {
        match self {
            Reading::Device | Reading::Api => GIVEN_MAX,
            _ => RECENT_MAX,
        }
    }

    fn setting(self) -> String {
        format!("volume.{}", self.as_str())
    }
}

impl FromStr for Reading {
    type Err = EngineError;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|reading| reading.as_str() == text).ok_or_else(|| {
            EngineError::Refused {
                code: "volume",
                reason: format!("`{text}` is not counted; write device, page, list, export or api"),
            }
        })
    }
}

/// How many contacts may be read within how many hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Contacts; 0: as many as one likes.
    pub contacts: u64,
    /// The window in hours, the one that runs included.
    pub hours: u32,
}

impl FromStr for Limit {
    type Err = ();
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (contacts, hours) = text.split_once('/').ok_or(())?;
        Ok(Self { contacts: contacts.parse().or(Err(()))?, hours: hours.parse().or(Err(()))? })
    }
}

/// Why something is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The way of reading.
    pub reading: Reading,
    /// Contacts that were read in this window.
    pub read: u64,
    /// Contacts that were asked for now.
    pub asked: u64,
    /// Contacts that may be read in a window.
    pub most: u64,
    /// The hours of a window.
    pub hours: u32,
    /// When it may be asked for again; `None` where it is too much for any window.
    pub until: Option<UnixMs>,
    /// The login by which an administrator lifts it.
    pub login: String,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Held { read, asked, most, hours, login, .. } = self;
        let what = match self.reading {
            Reading::Device => "contacts were sent to this person's devices",
            Reading::Page => "contacts were opened",
            Reading::List => "contacts were listed",
            Reading::Export => "contacts were exported",
            Reading::Api => "contacts were read by this person's API keys",
        };
        write!(
            f,
            "{read} {what} within {hours} hours, and {asked} more were asked for; {most} are usual, "
        )?;
        match self.until.and_then(DateTime::from_timestamp_millis) {
            Some(at) => write!(f, "so the rest waits until {}", at.format("%Y-%m-%d %H:%M UTC"))?,
            None => f.write_str("and this is more than that at once")?,
        }
        write!(
            f,
            "; managers were told; an administrator lifts it with `roadbook-server volume lift {login}`"
        )
    }
}

/// The count of this process.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<HashMap<(WorkspaceId, UserId, Reading), Tally>>);

/// What one person has read in one way.
#[derive(Debug, Default)]
struct Tally {
    /// Hours since 1970 with what was read in each, oldest first.
    hours: VecDeque<(i64, u64)>,
    recent: HashSet<ContactId>,
    /// The same, oldest first.
    in_order: VecDeque<ContactId>,
    alerted_at: Option<UnixMs>,
}

impl Tally {
    fn read(&self) -> u64 {
        self.hours.iter().map(|(_, contacts)| contacts).sum()
    }

    fn trim(&mut self, since: i64) {
        while self.hours.front().is_some_and(|(hour, _)| *hour < since) {
            self.hours.pop_front();
        }
    }

    fn add(&mut self, hour: i64, contacts: u64) {
        match self.hours.back_mut() {
            // A clock that was set back counts into the newest hour.
            Some((newest, sum)) if *newest >= hour => *sum += contacts,
            _ => self.hours.push_back((hour, contacts)),
        }
    }

    /// When `contacts` more fit under `most`, if they ever do.
    fn until(&self, contacts: u64, most: u64, hours: u32) -> Option<UnixMs> {
        let mut read = self.read();
        for (hour, sum) in &self.hours {
            read -= sum;
            if read + contacts <= most {
                return Some((hour + i64::from(hours)) * HOUR_MS);
            }
        }
        None
    }

    fn remember(&mut self, read: &[ContactId], most: usize) {
        self.recent.extend(read);
        self.in_order.extend(read);
        while self.in_order.len() > most {
            let oldest = self.in_order.pop_front();
            oldest.map(|id| self.recent.remove(&id));
        }
    }
}

/// Who reads.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Who.
    pub user: UserId,
    /// With which device, where it is one.
    pub device: Option<DeviceId>,
}

impl Engine {
    /// Counts contacts that somebody is about to be given. `Some` where it would be too many: nothing
    /// may be given then, nothing is counted, and managers were told (durably). Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn take_volume(
        &self,
        reader: Reader,
        reading: Reading,
        contacts: u64,
    ) -> Result<Option<Held>> {
        self.take(reader, reading, contacts, &[])
    }

    /// [`Self::take_volume`] of contacts that are shown on pages or sent to devices: those that the same
    /// person was given in the same way lately are not counted again. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn take_shown(
        &self,
        reader: Reader,
        reading: Reading,
        shown: &[ContactId],
    ) -> Result<Option<Held>> {
        self.take(reader, reading, 0, shown)
    }

    /// Tells managers of an export by the operator at the shell that nobody else might make. Durable.
    /// Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn tell_of_export(&self, workspace: WorkspaceId, contacts: u64) -> Result<()> {
        let Limit { contacts: most, .. } = self.volume_limit(workspace, Reading::Export)?;
        if most == 0 || contacts <= most {
            return Ok(());
        }
        let new = NewAlert {
            kind: "volume",
            how: Reading::Export.as_str(),
            user: None,
            device: None,
            contact: None,
            contacts,
            most,
            until: None,
        };
        self.raise_alert(workspace, new)
    }

    fn take(
        &self,
        reader: Reader,
        reading: Reading,
        contacts: u64,
        shown: &[ContactId],
    ) -> Result<Option<Held>> {
        let Reader { workspace, user, .. } = reader;
        let limit = self.volume_limit(workspace, reading)?;
        if limit.contacts == 0 || (contacts == 0 && shown.is_empty()) {
            return Ok(None);
        }
        let now = self.now_ms();
        let hour = now.div_euclid(HOUR_MS);
        let since = hour - i64::from(limit.hours) + 1;
        let key = (workspace, user, reading);
        if !self.meter().contains_key(&key) {
            // Read without the lock; what another call has counted meanwhile stays.
            let hours =
                self.read(|conn| volumes::load(conn, workspace, user, reading.as_str(), since))?;
            let tally = Tally { hours: hours.into(), ..Tally::default() };
            self.meter().entry(key).or_insert(tally);
        }
        let (mut most, mut widened) = (limit.contacts, reading != Reading::Device);
        let (count, read, until, alert) = loop {
            let mut meter = self.meter();
            let tally = meter.entry(key).or_default();
            tally.trim(since);
            let mut news: Vec<ContactId> =
                shown.iter().filter(|id| !tally.recent.contains(id)).copied().collect();
            news.sort_unstable();
            news.dedup();
            let count = contacts + news.len() as u64;
            let read = tally.read();
            if read + count <= most {
                if count > 0 {
                    tally.add(hour, count);
                    tally.remember(&news, reading.remembered());
                    drop(meter);
                    self.write_soon(move |tx| {
                        volumes::add(tx, workspace, user, reading.as_str(), (hour, since), count)
                    });
                }
                return Ok(None);
            }
            if !widened {
                drop(meter);
                let held = self.read(|conn| contacts::count_held(conn, workspace, user))?;
                most = most.max(held * HELD_TIMES);
                widened = true;
                continue;
            }
            let alert = tally.alerted_at.is_none_or(|at| now < at || now - at >= ALERT_EVERY_MS);
            if alert {
                tally.alerted_at = Some(now);
            }
            break (count, read, tally.until(count, most, limit.hours), alert);
        };
        if alert {
            let new = NewAlert {
                kind: "volume",
                how: reading.as_str(),
                user: Some(user),
                device: reader.device,
                contact: None,
                contacts: read + count,
                most,
                until,
            };
            self.raise_alert(workspace, new)?;
        }
        let login = self.read(|conn| crate::store::people::user(conn, workspace, user))?.login;
        Ok(Some(Held { reading, read, asked: count, most, hours: limit.hours, until, login }))
    }

    fn meter(&self) -> std::sync::MutexGuard<'_, HashMap<(WorkspaceId, UserId, Reading), Tally>> {
        // Every change of a tally is complete in itself.
        self.shared.volumes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells managers of something. Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn raise_alert(&self, workspace: WorkspaceId, new: NewAlert) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| alerts::raise(tx, workspace, now, &new))?;
        self.publish(Event::Alert { workspace });
        Ok(())
    }

    /// Notes that somebody has looked at an alert. Whether that is news. Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn alert_seen(&self, workspace: WorkspaceId, n: i64, by: Option<UserId>) -> Result<bool> {
        let now = self.now_ms();
        let news = self.write(move |tx| alerts::set_seen(tx, workspace, n, by, now))?;
        if news {
            self.publish(Event::Alert { workspace });
        }
        Ok(news)
    }

    /// The limit of a way of reading. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn volume_limit(&self, workspace: WorkspaceId, reading: Reading) -> Result<Limit> {
        let set = self.read(|conn| workspaces::setting(conn, workspace, &reading.setting()))?;
        Ok(set.and_then(|text| text.parse().ok()).unwrap_or_else(|| reading.default_limit()))
    }

    /// Sets the limit of a way of reading. What is held back looks again. Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for a window that can't be counted.
    pub fn set_volume_limit(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        reading: Reading,
        limit: Limit,
    ) -> Result<()> {
        if limit.hours == 0 || limit.hours > HOURS_MAX {
            let reason = format!("a window has 1 to {HOURS_MAX} hours");
            return Err(EngineError::Refused { code: "volume", reason });
        }
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            let text = format!("{}/{}", limit.contacts, limit.hours);
            workspaces::set_setting(tx, workspace, &reading.setting(), Some(&text))?;
            let detail = json!({ "contacts": limit.contacts, "hours": limit.hours });
            audit::append(tx, workspace, now, by, "volume.set", reading.as_str(), &detail)
        })?;
        self.publish(Event::Released { workspace, user: None });
        Ok(())
    }

    /// Lets somebody go on who is held back: their count begins anew. Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn lift_volume(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        user: UserId,
    ) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            volumes::clear(tx, workspace, user)?;
            audit::append(tx, workspace, now, by, "volume.lift", &user.to_string(), &json!({}))
        })?;
        self.meter().retain(|(of, whose, _), _| (*of, *whose) != (workspace, user));
        self.publish(Event::Released { workspace, user: Some(user) });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_wait_is_when_enough_hours_have_left_the_window() {
        let mut tally = Tally::default();
        tally.add(10, 5);
        tally.add(11, 3);
        tally.add(11, 1);
        // Set back: the newest hour takes it.
        tally.add(9, 1);
        assert_eq!(tally.read(), 10);
        assert_eq!(tally.until(5, 10, 24), Some(34 * HOUR_MS));
        assert_eq!(tally.until(6, 10, 24), Some(35 * HOUR_MS));
        assert_eq!(tally.until(11, 10, 24), None);
        tally.trim(11);
        assert_eq!(tally.read(), 5);
    }

    #[test]
    fn only_so_many_opened_contacts_are_remembered() {
        let mut tally = Tally::default();
        for n in 0..RECENT_MAX + 10 {
            let id = ContactId::from_bytes((n as u128).to_be_bytes());
            tally.remember(&[id], RECENT_MAX);
        }
        assert_eq!(tally.recent.len(), RECENT_MAX);
    }
}
