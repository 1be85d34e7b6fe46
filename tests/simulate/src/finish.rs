//! The end of a run: in safety mode everything that was promised so far is looked up; in liveness
//! mode the faults end, and everything must converge within a bound, and be right.

use std::collections::BTreeMap;

use automerge::{Automerge, ReadDoc};
use roadbook_client_core::Receipt;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{self, ProposedKind};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::Fate as WireFate;
use roadbook_server::engine::{Engine, Step};
use roadbook_server::store::proposals::{ItemState, Wanted};
use roadbook_server::store::{EngineError, changes, generations};

use crate::device::Standing;
use crate::net::End;
use crate::oracle::{Acknowledged, EditRecord, Fate, Marker};
use crate::plan::Ending;
use crate::world::World;

/// Rounds in which everything must have converged.
const ROUNDS_MAX: usize = 16;
/// How long one round may take, in simulated milliseconds.
const ROUND_MS: i64 = 10 * 60 * 1000;

impl World {
    /// Everything that was promised so far holds, with everything as it lies.
    pub fn finish_safety(&mut self) {
        if self.is_over() {
            return;
        }
        self.server.disk.heal(self.now);
        self.server.slow = (0, 0);
        // The harshest end: no goodbye, and nothing unsynced survives.
        if self.server.is_up() {
            self.crash_server(Ending::PowerAll, 0);
        }
        // Whatever start was scheduled before is the latest.
        self.pass_until(self.now + 70_000);
        for index in 0..self.devices.len() {
            if self.is_over() {
                return;
            }
            if self.devices[index].standing == Standing::Lost || self.devices[index].damaged {
                continue;
            }
            self.devices[index].online = false;
            self.devices[index].disk.heal(self.now);
            self.settle_devices();
            self.crash_device(index, Ending::PowerAll);
            self.settle_devices();
            if !self.open_app(index) {
                self.violated("a replica opens", format!("device {index} after a power cut"));
            }
            self.observe_receipts(index, usize::MAX);
            self.verify_receipts(index);
            self.check_replica(index);
            self.close_app(index);
        }
        self.check_server();
    }

    /// The faults end; everything must converge.
    pub fn finish_liveness(&mut self) {
        if self.is_over() {
            return;
        }
        self.heal();
        let mut before = None;
        for round in 0..ROUNDS_MAX {
            if self.is_over() {
                return;
            }
            let quiet = self.round();
            let Some(engine) = self.server.engine() else { continue };
            let cursor = engine.public_cursor(self.server.workspace).ok();
            let still = quiet && cursor.is_some() && cursor == before;
            before = cursor;
            if still {
                // What nobody can bring any more is given up by the office, and all goes on.
                if self.give_up_generations() {
                    before = None;
                    continue;
                }
                break;
            }
            if round + 1 == ROUNDS_MAX {
                let late: Vec<String> = self.late_devices();
                let detail = format!("after {ROUNDS_MAX} rounds: {}", late.join("; "));
                return self.violated("liveness: everything converges", detail);
            }
        }
        self.check_server();
        self.check_erased_on_devices();
        self.check_returned();
        self.check_edits();
        self.check_all_copied();
        self.check_equal();
    }

    fn heal(&mut self) {
        self.server.disk.heal(self.now);
        self.server.slow = (0, 0);
        for index in 0..self.devices.len() {
            let now = self.now;
            let device = &mut self.devices[index];
            device.disk.heal(now);
            device.duplicate_until = 0;
            device.reorder_until = 0;
            device.online = false;
            device.version = 3;
        }
        // Half-open connections end by their silence.
        self.pass_until(self.now + 70_000);
        if self.server.is_up() {
            self.set_minimum_version(1);
        }
    }

    /// Every device connects, exchanges everything and leaves. Whether all could.
    fn round(&mut self) -> bool {
        let taking_part: Vec<usize> = (0..self.devices.len())
            .filter(|index| self.devices[*index].standing == Standing::Alive)
            .collect();
        // As many at a time as may be open.
        for group in taking_part.chunks(self.plan.shape.open_max as usize / 2) {
            for index in group {
                let device = &mut self.devices[*index];
                device.reached_idle = false;
                device.online = true;
                device.once = true;
                device.attempts = 0;
                if !device.reconnecting {
                    self.connect(*index);
                }
            }
            let end = self.now + ROUND_MS;
            while self.now < end && !self.is_over() {
                self.pass_until(self.now + 2_000);
                if group.iter().all(|index| self.devices[*index].reached_idle) {
                    break;
                }
            }
            for index in group {
                self.devices[*index].online = false;
                if let Some(conn) = self.devices[*index].conn {
                    self.close(conn, End::Client);
                }
            }
            self.pass_until(self.now + 5_000);
        }
        if let Some(engine) = self.server.engine() {
            engine.step(Step::Log);
            engine.step(Step::Merge);
        }
        self.pump_server();
        taking_part.iter().all(|index| self.devices[*index].reached_idle)
    }

    fn late_devices(&mut self) -> Vec<String> {
        let mut late = Vec::new();
        for index in 0..self.devices.len() {
            if self.devices[index].standing != Standing::Alive || self.devices[index].reached_idle {
                continue;
            }
            let status = match self.open_app(index) {
                true => self.devices[index].replica.as_ref().and_then(|r| r.status().ok()),
                false => None,
            };
            late.push(match status {
                Some(status) => format!(
                    "device {index}: unsent {}, stored {}, missing {}, set aside {}, {:?}",
                    status.unsent,
                    status.stored_not_merged,
                    status.missing,
                    status.set_aside,
                    status.connection.error
                ),
                None => format!("device {index} can't be opened"),
            });
        }
        late
    }

    /// The server's own check, and everything that it acknowledged.
    fn check_server(&mut self) {
        if self.is_over() {
            return;
        }
        let Some(engine) = self.server.engine() else {
            return self.violated("the server starts", "it was down at the end".to_owned());
        };
        match engine.check() {
            Ok(report) if report.is_clean() => {}
            Ok(report) => {
                let first = report.findings.first().map(|finding| format!("{finding:?}"));
                let detail =
                    format!("{} findings: {}", report.findings.len(), first.unwrap_or_default());
                return self.violated("the server's check is clean", detail);
            }
            Err(error) => {
                return self.violated("the server's check is clean", error.to_string());
            }
        }
        self.count_adopted();
        self.check_erased_at_server();
        let all = self.oracle.acknowledged.clone();
        self.verify(&all, "P2: an acknowledged change is durable");
    }

    /// What a restored backup took back is there again if any device held it, whoever made it; or that
    /// device lists it with the reason.
    fn check_returned(&mut self) {
        let mut due = Vec::new();
        for (one, mut holders) in self.oracle.held.clone() {
            // Who held it has destroyed it since.
            if self.oracle.erasures.was_erased(&one.contact) {
                continue;
            }
            holders.retain(|holder| {
                let device = &self.devices[*holder];
                device.standing == Standing::Alive
                    && !device.damaged
                    && !self.oracle.handed_over.contains(&(one.contact, device.user))
            });
            if !holders.is_empty()
                && !self.is_listed(one, &holders)
                && !self.is_in_listed_document(one, &holders)
            {
                due.push(one);
            }
        }
        self.cover.add("event.others_changes_due_back", due.len() as u64);
        self.verify(&due, "P6: a restored backup loses no edit that any device holds");
    }

    /// Whether a change that is not at the server stands in the quarantine of a device that brought it
    /// back. Its number was taken meanwhile: its author's replica was put back too, and had made
    /// another change under it. One document can't have both.
    fn is_listed(&mut self, one: Acknowledged, holders: &[usize]) -> bool {
        let (Some(engine), workspace) = (self.server.engine(), self.server.workspace) else {
            return false;
        };
        let found = engine.read(|conn| changes::find(conn, workspace, one.contact, &one.hash));
        match found {
            Ok::<_, EngineError>(None) => {}
            // It came, and stands in the server's list of what could not be merged.
            Ok(Some((WireFate::Forked | WireFate::Quarantined, _))) => return true,
            Ok(_) | Err(_) => return false,
        }
        self.tell(|| format!("{} of {} is due from {holders:?}", one.hash, one.contact));
        let hash = one.hash.to_string();
        holders.iter().any(|holder| {
            self.open_app(*holder)
                && self.devices[*holder].replica.as_ref().is_some_and(|replica| {
                    let listed = replica.quarantine().unwrap_or_default();
                    listed.iter().any(|entry| {
                        entry.hash.as_ref() == Some(&hash)
                            && matches!(entry.code.as_str(), "forked" | "dependency")
                    })
                })
        })
    }

    /// Projection equals a rebuild.
    fn check_replica(&mut self, index: usize) {
        let Some(replica) = self.devices[index].replica.clone() else { return };
        match replica.check() {
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => {
                let detail =
                    format!("device {index}: {} rows differ, first {}", wrong.len(), wrong[0]);
                self.violated("a projection equals a rebuild", detail);
            }
            Err(error) => {
                if !self.device_trouble(index) {
                    self.violated("a replica can be read", format!("device {index}: {error}"));
                }
            }
        }
    }

    /// Every edit that was returned as saved has arrived, once, or is listed with a lawful reason.
    fn check_edits(&mut self) {
        let mut contents = Contents::default();
        let mut hashes = BTreeMap::new();
        for number in 0..self.oracle.edits.len() {
            if self.is_over() {
                return;
            }
            let edit = self.oracle.edits[number].clone();
            let index = edit.device;
            if edit.fate == Fate::Lost || self.devices[index].standing != Standing::Alive {
                continue;
            }
            if self.oracle.erasures.excuses(&edit.contact, number) {
                continue;
            }
            if !self.open_app(index) {
                return self.violated("a replica opens", format!("device {index} at the end"));
            }
            let Some(replica) = self.devices[index].replica.clone() else { continue };
            let receipt = match replica.receipt(edit.edit) {
                Ok(receipt) => receipt,
                Err(error) => {
                    return self.violated("a replica can be read", error.to_string());
                }
            };
            let named = format!(
                "edit {} ({:?}) of device {index} on contact {}",
                edit.edit, edit.marker, edit.contact
            );
            let quarantine = match receipt {
                Some(Receipt::Merged) => Vec::new(),
                _ => replica.quarantine().unwrap_or_default(),
            };
            let entry = quarantine.iter().find(|entry| entry.edit_id == Some(edit.edit));
            // The row of the edit goes with its contact; what was refused is kept beside it. (Without a
            // change it tells of a part that was put elsewhere: words of a note, at its end.)
            let refused = entry.filter(|entry| entry.hash.is_some());
            let receipt = receipt.or(refused.map(|_| Receipt::Quarantined));
            match receipt {
                Some(Receipt::Merged) => {}
                None if self.went_with_its_contact(&edit) => continue,
                // It was proposed, and decided: the row of the edit went with its contact, the set stays.
                None if edit.seen.0 != Receipt::Merged
                    && self.waits_or_is_decided(&edit, &edit.hash) == Ok(true) =>
                {
                    continue;
                }
                None if edit.seen.0 == Receipt::Merged || self.oracle.is_acknowledged(&edit) => {}
                // Its row was tidied up before it was looked at, under another hash than its first.
                None if entry.is_some() || self.arrived_anew(&edit) => {}
                // The same, where a restore has taken from the server what it knew of that: the
                // edit itself is looked for.
                None if !matches!(edit.marker, Marker::Passing(_)) => {}
                None if self.devices[index].tidied => continue,
                // It left the device with its contact, which goes only when nothing is unsent.
                None if self
                    .oracle
                    .handed_over
                    .contains(&(edit.contact, self.devices[index].user)) => {}
                Some(Receipt::Proposed) => {
                    let hash = self.present_hash(index, &edit, &mut hashes);
                    match self.waits_or_is_decided(&edit, &hash) {
                        Ok(true) => {}
                        // A restore took the proposal from the server, after the device dropped all.
                        Ok(false) if self.went_with_its_contact(&edit) => {}
                        Ok(false) => {
                            self.tell_entry(&replica, &edit);
                            let detail = format!("{named} is proposed, and in no proposal");
                            return self.violated("P9: late edits wait for a decision", detail);
                        }
                        Err(error) => return self.violated("the server can be read", error),
                    }
                    continue;
                }
                Some(Receipt::Quarantined) => {
                    let code = entry.map_or("", |entry| entry.code.as_str());
                    if !self.lawful_refusal(index, edit.contact, code) {
                        let reason = entry.map_or("", |entry| entry.reason.as_str());
                        let detail = format!("{named}: {code}: {reason}");
                        return self.violated("no edit is refused without a cause", detail);
                    }
                    continue;
                }
                other => {
                    self.tell_entry(&replica, &edit);
                    let word = other.map_or("unknown to the replica", Receipt::as_str);
                    let detail = format!("{named} is {word} at the end");
                    return self.violated("P4: every edit arrives or is listed", detail);
                }
            }
            let Some(engine) = self.server.engine() else { return };
            if let Marker::Passing(words) = &edit.marker {
                // A later edit may stand in its place; the change itself is in the log, under the
                // hash that it was authored anew with, if it was.
                let hash = self.present_hash(index, &edit, &mut hashes);
                match self.came_to_nothing(&mut contents, &edit, hash, words.as_deref()) {
                    Ok(true) => continue,
                    Ok(false) if receipt.is_none() && self.left_in_a_document(&edit) => continue,
                    Ok(false) => {}
                    Err(error) => return self.violated("the server can be read", error),
                }
                self.tell_entry(&replica, &edit);
                let one = Acknowledged { contact: edit.contact, hash, device: Some(index) };
                self.verify(&[one], "P6: an edit that is merged for its device is at the server");
                continue;
            }
            match contents.count(&engine, self, &edit.contact, &edit.marker) {
                Ok(1) => {}
                Ok(0) if receipt.is_none() && self.left_in_a_document(&edit) => {}
                Ok(times) => {
                    // Merged, taken back by a restore, and its number taken meanwhile: it is listed.
                    let hash = self.present_hash(index, &edit, &mut hashes);
                    let one = Acknowledged { contact: edit.contact, hash, device: Some(index) };
                    let all: Vec<usize> = (0..self.devices.len())
                        .filter(|device| self.devices[*device].standing == Standing::Alive)
                        .collect();
                    if times == 0 && !self.oracle.taken_back.is_empty() && self.is_listed(one, &all)
                    {
                        continue;
                    }
                    self.tell_entry(&replica, &edit);
                    let detail =
                        format!("{named} is merged and stands {times} times at the server");
                    return self.violated("every edit is there exactly once", detail);
                }
                Err(error) => return self.violated("the server can be read", error),
            }
        }
    }

    /// Whether an edit is part of its contact without the change that carries it on the device: another
    /// of its changes came first, or the contact was as it wants it when it was authored anew, and it
    /// was merged without a change (a device that finds the fork itself tells nobody of it).
    fn came_to_nothing(
        &self,
        contents: &mut Contents,
        edit: &EditRecord,
        hash: ChangeHash,
        words: Option<&str>,
    ) -> Result<bool, String> {
        let Some(engine) = self.server.engine() else { return Ok(true) };
        let workspace = self.server.workspace;
        let found = engine
            .read(|conn| changes::find(conn, workspace, edit.contact, &hash))
            .map_err(|error: EngineError| error.to_string())?;
        if found.is_some() || self.arrived_anew(edit) {
            return Ok(true);
        }
        match words {
            Some(words) => contents.ever_had(&engine, self, &edit.contact, words),
            // It took something away, and there was nothing to be taken away. What the server has stored is
            // there to be found, unless a restore took it back: then its device authors it anew on what
            // the server has now, where the same holds.
            None => {
                let is_it = |one: &Acknowledged| (one.contact, one.hash) == (edit.contact, hash);
                Ok(!self.oracle.ever_stored.contains(&(edit.contact, hash))
                    || self.oracle.taken_back.iter().any(is_it)
                        && !self.oracle.acknowledged.iter().any(is_it))
            }
        }
    }

    /// Whether a late edit is in a set of proposals, taken apart; an interaction in the contact too.
    fn waits_or_is_decided(&self, edit: &EditRecord, hash: &ChangeHash) -> Result<bool, String> {
        let Some(engine) = self.server.engine() else { return Ok(true) };
        let wanted = Wanted {
            decided: true,
            contact: Some(edit.contact),
            limit: u32::MAX,
            ..Wanted::default()
        };
        let sets =
            engine.proposals(self.server.workspace, wanted).map_err(|error| error.to_string())?;
        // Under whichever of its changes came first.
        let mut carriers = self.replacements(edit);
        carriers.push(*hash);
        let carries = |change: &ChangeHash| carriers.contains(change);
        let mut items =
            sets.iter().flat_map(|set| &set.items).filter(|item| item.changes.iter().any(carries));
        let Some(first) = items.next() else { return Ok(false) };
        let taken = first.kind == ProposedKind::Interaction && first.state == ItemState::Accepted;
        if !taken || !matches!(edit.marker, Marker::Interaction(..)) {
            return Ok(first.state != ItemState::Due);
        }
        let count = Contents::default().count(&engine, self, &edit.contact, &edit.marker)?;
        // A restore took the decision that undid it from the server; what it did to the contact came back
        // with the devices.
        let undone = first.changes.iter().filter_map(|change| self.oracle.undone.get(change)).max();
        Ok(count == 1 || undone.is_some_and(|version| first.version < *version))
    }

    /// Whether an edit was merged, left its device with its contact, and was then taken back by a
    /// restore: no copy of it is left on the device that made it.
    fn went_with_its_contact(&self, edit: &EditRecord) -> bool {
        let user = self.devices[edit.device].user;
        self.oracle.handed_over.contains(&(edit.contact, user))
            && self
                .oracle
                .taken_back
                .iter()
                .any(|one| one.contact == edit.contact && one.device == Some(edit.device))
    }

    /// Refusals that have a cause: the contact was taken from the user meanwhile.
    fn lawful_refusal(&self, index: usize, contact: ContactId, code: &str) -> bool {
        let user = self.devices[index].user;
        let handed_over = self.oracle.handed_over.contains(&(contact, user));
        let unknown = !self.oracle.rights.contains_key(&contact);
        // A late edit is a proposal. It is refused only where the device could not know better: after
        // a copy or a restore it may have confirmed what it still had elsewhere.
        let strange = !self.oracle.taken_back.is_empty()
            || self.oracle.ever_forked.iter().any(|(forked, _)| *forked == contact);
        match code {
            "not_yours" => (handed_over && strange) || unknown,
            "not_replayed" | "lost_by_server" => handed_over || unknown,
            _ => false,
        }
    }

    /// Every device holds what its user holds, equal to the server's; rows equal a rebuild.
    fn check_equal(&mut self) {
        let mut by_user: BTreeMap<usize, BTreeMap<ContactId, String>> = BTreeMap::new();
        for index in 0..self.devices.len() {
            if self.is_over() {
                return;
            }
            let device = &self.devices[index];
            if device.standing != Standing::Alive || device.damaged {
                continue;
            }
            let user = device.user;
            if !self.open_app(index) {
                return self.violated("a replica opens", format!("device {index} at the end"));
            }
            let Some(engine) = self.server.engine() else { return };
            let Some(replica) = self.devices[index].replica.clone() else { return };
            if let std::collections::btree_map::Entry::Vacant(slot) = by_user.entry(user) {
                let id = self.server.users[user];
                match engine.state_hash(self.server.workspace, Some(id), None) {
                    Ok(state) => {
                        let each =
                            state.each.iter().map(|(id, hash)| (*id, hex::encode(hash))).collect();
                        slot.insert(each);
                    }
                    Err(error) => {
                        return self.violated("the server can be read", error.to_string());
                    }
                }
            }
            let at_server = &by_user[&user];
            let here = match replica.state_hash(None) {
                Ok(state) => state.each.into_iter().collect::<BTreeMap<_, _>>(),
                Err(error) => return self.violated("a replica can be read", error.to_string()),
            };
            if let Some(difference) = difference(at_server, &here) {
                let detail = format!("device {index} of user {user}: {difference}");
                return self.violated("P3: equal changes give equal state", detail);
            }
            if let Ok(conflicts) = replica.conflicts(None) {
                self.cover.add("event.conflict", conflicts.len() as u64);
            }
            drop(replica);
            self.check_replica(index);
        }
    }
}

fn difference(
    server: &BTreeMap<ContactId, String>,
    device: &BTreeMap<ContactId, String>,
) -> Option<String> {
    for (id, hash) in server {
        match device.get(id) {
            None => return Some(format!("contact {id} is at the server and not here")),
            Some(other) if other != hash => return Some(format!("contact {id} differs")),
            Some(_) => {}
        }
    }
    device
        .keys()
        .find(|id| !server.contains_key(id))
        .map(|id| format!("contact {id} is here and not (or not any more) this user's"))
}

/// The contents of contacts at the server, read once.
#[derive(Default)]
struct Contents {
    read: BTreeMap<ContactId, Content>,
    /// All changes of contacts' histories, as text.
    histories: BTreeMap<ContactId, String>,
}

#[derive(Default)]
struct Content {
    interactions: BTreeMap<String, String>,
    note: String,
}

impl Contents {
    /// How often an edit stands in a contact.
    fn count(
        &mut self,
        engine: &Engine,
        world: &World,
        contact: &ContactId,
        marker: &Marker,
    ) -> Result<usize, String> {
        let content = self.content(engine, world, contact)?;
        Ok(match marker {
            Marker::Interaction(id, summary) => content
                .interactions
                .get(&id.to_string())
                .map_or(0, |text| text.matches(summary.as_str()).count()),
            Marker::Note(words) => content.note.matches(words.as_str()).count(),
            Marker::Passing(_) => 1,
        })
    }

    /// Whether some change of a contact wrote these words, whatever stands there now.
    fn ever_had(
        &mut self,
        engine: &Engine,
        world: &World,
        contact: &ContactId,
        words: &str,
    ) -> Result<bool, String> {
        if !self.histories.contains_key(contact) {
            let doc = document_of(engine, world, contact)?;
            let mut changes = doc.get_changes(&[]);
            // What was written before the document was begun anew stands in the archive.
            let key = (world.server.workspace, *contact);
            let kept = engine.read(|conn| generations::kept(conn, key));
            for bytes in kept.map_err(|error: EngineError| error.to_string())? {
                let old = Automerge::load(&bytes).map_err(|error| error.to_string())?;
                changes.extend(old.get_changes(&[]));
            }
            let texts = changes.iter().map(|change| format!("{:?}", change.decode().operations));
            self.histories.insert(*contact, texts.collect());
        }
        Ok(self.histories[contact].contains(&format!("{words:?}")))
    }

    fn content(
        &mut self,
        engine: &Engine,
        world: &World,
        contact: &ContactId,
    ) -> Result<&Content, String> {
        if !self.read.contains_key(contact) {
            let doc = document_of(engine, world, contact)?;
            let read = document::read(*contact, &doc);
            let interactions = read
                .interactions
                .iter()
                .map(|entry| {
                    let text = serde_json::to_string(entry).unwrap_or_default();
                    (entry.id.to_string(), text)
                })
                .collect();
            self.read.insert(*contact, Content { interactions, note: read.note });
        }
        Ok(&self.read[contact])
    }
}

/// The document of a contact at the server.
fn document_of(engine: &Engine, world: &World, contact: &ContactId) -> Result<Automerge, String> {
    let doc =
        engine.document(world.server.workspace, *contact).map_err(|error| error.to_string())?;
    if !doc.get_missing_deps(&[]).is_empty() {
        return Err(format!("the document of {contact} lacks dependencies"));
    }
    Ok(doc)
}
