//! Brings database and ledger together before anything is served (rule 4).
//!
//! The database remembers up to which record it has the ledger. Records behind that are news to it: it
//! was restored from a backup, or its files were copied back. They are applied in one transaction, under
//! the timeline that this start has opened, so that every device hears of what changed. A database
//! without a ledger gets one that begins with all it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::json;

use super::assign::{Done, Wanted, assign_one};
use super::erase::erase_one;
use super::ledger::{Entry, Hash, Ledger};
use super::review;
use super::shared::Shared;
use crate::store::devices::{self, Device};
use crate::store::erasures::{self, NewErasure};
use crate::store::ledger::{self as notes, LedgerClaim, Noted, Record};
use crate::store::people::{self, NewUser, Role};
use crate::store::{EngineError, Result, audit, contacts, generations, workspaces};

/// The reason that an erasure has that was done again; the first one is not in the ledger.
const REPLAYED: &str = "ledger";

/// Opens the ledger at `path`, or begins one, and brings the database up to it.
///
/// # Errors
/// [`EngineError::Ledger`] for one that is damaged or another database's, [`EngineError::Io`], what the
/// database says.
pub(super) fn take_up(conn: &mut Connection, path: &Path, shared: &Shared) -> Result<Ledger> {
    let mark = notes::mark(conn)?;
    let (found, fits, news) = open_from(path, mark)?;
    if !fits && let Some(lost) = review::lost_mark(conn)? {
        // The one that was missing may have been put back.
        let (found, fits, news) = open_from(path, Some(lost))?;
        if let Some(ledger) = found.filter(|_| fits) {
            return put_back(conn, ledger, news, shared);
        }
    }
    let mut ledger = match found {
        Some(ledger) => ledger,
        None => {
            if mark.is_some() {
                tracing::error!(
                    ledger = %path.display(),
                    "the ledger is gone: another one is begun. If this database is an older one, erasures, \
                     revocations and assignments that were made after it are not known any more. No customer data \
                     goes out until an administrator has looked at that (`review show`); or stop the server and put \
                     the ledger back"
                );
            }
            return begin(conn, path, shared, mark);
        }
    };
    let behind = mark.is_some_and(|(seq, _)| seq > ledger.head().seq);
    if !fits && !behind {
        return Err(EngineError::Ledger {
            path: path.to_owned(),
            reason: "it is another database's: they parted before the last record that this database has; name \
                     the right one with --ledger, or set it aside to begin another"
                .to_owned(),
        });
    }
    if behind {
        tracing::error!(
            ledger = %path.display(),
            "the ledger is older than the database; what it lacks is written into it again"
        );
    }
    flush(conn, &mut ledger, shared, |tx| {
        if behind {
            return notes::note_everything(tx);
        }
        // What was noted and not written before the last end stands; what replaying notes is known.
        let noted = notes::noted(tx)?;
        apply(tx, shared, news)?;
        notes::clear_noted(tx)?;
        noted.iter().try_for_each(|record| match record.parse::<Noted>() {
            Ok(Noted { workspace, record }) => notes::note(tx, workspace, record),
            Err(reason) => Err(EngineError::damaged("a note for the ledger", reason)),
        })
    })?;
    Ok(ledger)
}

/// Opens a ledger, and gives what it has behind `mark`, and whether it has that.
fn open_from(path: &Path, mark: Option<(u64, Hash)>) -> Result<(Option<Ledger>, bool, Vec<Entry>)> {
    let mut fits = mark.is_none_or(|(seq, _)| seq == 0);
    let mut news: Vec<Entry> = Vec::new();
    let found = Ledger::open(path, |entry| {
        match mark {
            Some((seq, _)) if entry.seq < seq => {}
            Some((seq, hash)) if entry.seq == seq => fits = entry.hash == hash,
            _ => news.push(entry.clone()),
        }
        Ok(())
    })?;
    Ok((found, fits, news))
}

/// The ledger that was missing at an earlier start is there again: what it has is applied, what was done
/// meanwhile goes into it, and nothing has to be decided any more.
fn put_back(
    conn: &mut Connection,
    mut ledger: Ledger,
    news: Vec<Entry>,
    shared: &Shared,
) -> Result<Ledger> {
    flush(conn, &mut ledger, shared, |tx| {
        apply(tx, shared, news)?;
        notes::clear_noted(tx)?;
        notes::note_everything(tx)?;
        for workspace in workspaces::list(tx)? {
            review::end(tx, workspace.id, shared.clock.now_ms())?;
        }
        Ok(())
    })?;
    Ok(ledger)
}

/// Begins a ledger with everything that the database knows.
fn begin(
    conn: &mut Connection,
    path: &Path,
    shared: &Shared,
    lost: Option<(u64, Hash)>,
) -> Result<Ledger> {
    let mut ledger = Ledger::create(path, shared.random())?;
    flush(conn, &mut ledger, shared, |tx| {
        notes::clear_noted(tx)?;
        notes::note_everything(tx)?;
        if let Some(lost) = lost {
            let now = shared.clock.now_ms();
            for workspace in workspaces::list(tx)? {
                audit::append(tx, workspace.id, now, None, "ledger.lost", "ledger", &json!({}))?;
                review::begin(tx, workspace.id, now, lost)?;
            }
        }
        Ok(())
    })?;
    Ok(ledger)
}

/// Runs `work` in a transaction, and writes what it notes into the ledger before that commits.
fn flush(
    conn: &mut Connection,
    ledger: &mut Ledger,
    shared: &Shared,
    work: impl FnOnce(&Transaction<'_>) -> Result<()>,
) -> Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&tx)?;
    let before = ledger.head();
    let head = write_notes(&tx, ledger, shared.clock.now_ms())?.unwrap_or(before);
    notes::set_mark(&tx, head.seq, &head.hash)?;
    if let Err(error) = tx.commit() {
        ledger.cut_back(before);
        return Err(error.into());
    }
    if erasures::any_unscrubbed(conn)? {
        // Nobody reads yet.
        erasures::scrub(conn)?;
    }
    Ok(())
}

/// Moves what the transaction has noted into the ledger, durably; to be called last before it commits.
/// `None` if nothing was noted.
///
/// # Errors
/// As [`Ledger::append`], and what the database says.
pub(super) fn write_notes(
    tx: &Transaction<'_>,
    ledger: &mut Ledger,
    now: i64,
) -> Result<Option<super::ledger::Head>> {
    let noted = notes::noted(tx)?;
    if noted.is_empty() {
        return Ok(None);
    }
    notes::clear_noted(tx)?;
    let head = ledger.append(now, &noted)?;
    notes::set_mark(tx, head.seq, &head.hash)?;
    Ok(Some(head))
}

/// What replaying did, for the log and the audit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Replayed {
    erased: usize,
    assigned: usize,
    enrolled: usize,
    revoked: usize,
    /// Contacts whose document was begun anew after the backup: devices bring it.
    awaited: usize,
    /// Users who were added after the backup and are back, without name, team and password.
    users: usize,
    /// Users who were kept out after the backup, and are again.
    kept_out: usize,
    /// Users whom neither the database nor the ledger knows: what belonged to them is nobody's.
    unknown_users: BTreeSet<UserId>,
}

/// Applies records that the database does not have, in order.
fn apply(tx: &Transaction<'_>, shared: &Shared, news: Vec<Entry>) -> Result<()> {
    let known: BTreeSet<WorkspaceId> = workspaces::list(tx)?.into_iter().map(|w| w.id).collect();
    let mut done: BTreeMap<WorkspaceId, Replayed> = BTreeMap::new();
    let mut assigned: BTreeMap<(WorkspaceId, ContactId), LedgerClaim> = BTreeMap::new();
    for entry in news {
        let workspace = entry.noted.workspace;
        if !known.contains(&workspace) {
            // Made after the backup: there is nobody whom it could concern.
            continue;
        }
        let replayed = done.entry(workspace).or_default();
        match entry.noted.record {
            Record::Assign { contact, epoch, owner, collaborators } => {
                // The last one counts.
                let claim = LedgerClaim { epoch, owner, collaborators };
                assigned.insert((workspace, contact), claim);
            }
            Record::Erase { contact } => {
                assigned.remove(&(workspace, contact));
                if erase_again(tx, workspace, contact, entry.at)? {
                    replayed.erased += 1;
                }
            }
            Record::Purged { contact, device } => {
                erasures::expect(tx, workspace, device, contact)?;
                erasures::confirm(tx, workspace, device, contact, entry.at)?;
            }
            Record::User { user, role, disabled } => {
                let at = disabled.then_some(entry.at);
                if !is_user(tx, workspace, user)? {
                    bring_back(tx, workspace, user, role, entry.at)?;
                    replayed.users += 1;
                }
                let known = people::user(tx, workspace, user)?;
                if known.disabled_at.is_some() != disabled {
                    people::set_disabled(tx, workspace, user, at)?;
                    replayed.kept_out += usize::from(disabled);
                }
            }
            Record::Enrol { device, user, algorithm, public_key } => {
                if devices::find_device(tx, workspace, device)?.is_some() {
                    continue;
                }
                if !is_user(tx, workspace, user)? {
                    replayed.unknown_users.insert(user);
                    continue;
                }
                let enrolled = Device {
                    workspace,
                    id: device,
                    user,
                    algorithm,
                    public_key,
                    name: String::new(),
                    platform: String::new(),
                    app: String::new(),
                    created_at: entry.at,
                    last_seen: None,
                    revoked_at: None,
                    unsent: 0,
                    cursor: 0,
                    missing: 0,
                };
                devices::create_device(tx, &enrolled)?;
                replayed.enrolled += 1;
            }
            Record::Actor { device, actor } => {
                if devices::find_device(tx, workspace, device)?.is_some()
                    && devices::actor_owner(tx, workspace, actor)?.is_none()
                {
                    devices::register_actor(tx, workspace, actor, device, entry.at)?;
                }
            }
            Record::Generation { contact, number } => {
                if generations::await_later(tx, (workspace, contact), number)? {
                    replayed.awaited += 1;
                }
            }
            Record::Revoke { device } => {
                let found = devices::find_device(tx, workspace, device)?;
                if found.is_some_and(|device| device.revoked_at.is_none()) {
                    devices::revoke_device(tx, workspace, device, entry.at)?;
                    replayed.revoked += 1;
                }
            }
        }
    }
    for ((workspace, contact), claim) in assigned {
        let replayed = done.entry(workspace).or_default();
        if assign_again(tx, workspace, contact, claim, &mut replayed.unknown_users)? {
            replayed.assigned += 1;
        }
    }
    let now = shared.clock.now_ms();
    for (workspace, replayed) in done {
        if replayed == Replayed::default() {
            continue;
        }
        tracing::warn!(
            %workspace, erased = replayed.erased, assigned = replayed.assigned,
            awaited = replayed.awaited, enrolled = replayed.enrolled, revoked = replayed.revoked,
            users = replayed.users, kept_out = replayed.kept_out,
            unknown_users = replayed.unknown_users.len(),
            "the database is older than the ledger: what the ledger knows was applied again"
        );
        let detail = json!({
            "erased": replayed.erased,
            "assigned": replayed.assigned,
            "enrolled": replayed.enrolled,
            "revoked": replayed.revoked,
            "awaited": replayed.awaited,
            "users": replayed.users,
            "kept_out": replayed.kept_out,
            "unknown_users":
                replayed.unknown_users.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        audit::append(tx, workspace, now, None, "ledger.replay", "ledger", &detail)?;
    }
    Ok(())
}

/// Makes a user who was added after the backup again: the same id, so that their devices go on. What the
/// ledger must not hold is gone: name, team, password; an administrator gives them anew, and the login.
/// Whoever steered others comes back as a rep: without a team they would steer everybody.
fn bring_back(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    role: Role,
    at: i64,
) -> Result<()> {
    let role = match role {
        Role::ReadOnly => Role::ReadOnly,
        Role::Rep | Role::Manager | Role::Admin => Role::Rep,
    };
    let whole = id.to_string();
    let short: String = whole.chars().take(8).collect();
    let make = |login: &str| {
        let new = NewUser { id, login, name: "", role, team: None };
        people::create_user(tx, workspace, &new, at)
    };
    match make(&format!("restored-{short}")) {
        Err(EngineError::Taken { .. }) => make(&format!("restored-{whole}")),
        made => made,
    }
}

fn is_user(tx: &Transaction<'_>, workspace: WorkspaceId, user: UserId) -> Result<bool> {
    match people::user(tx, workspace, user) {
        Ok(_) => Ok(true),
        Err(EngineError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there was anything to erase, or an id to be refused from now on. Whoever may have brought the
/// contact to a device after the backup is not known: every device is told.
fn erase_again(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    at: i64,
) -> Result<bool> {
    let new = NewErasure { contact, at, by: None, reason: REPLAYED, replayed: true };
    match contacts::find(tx, workspace, contact)? {
        Some(found) if found.erased_at.is_some() => return Ok(false),
        Some(_) => drop(erase_one(tx, workspace, &new)?),
        None => {
            erasures::refuse_id(tx, workspace, contact, at)?;
            erasures::record(tx, workspace, &new, &[])?;
        }
    }
    for device in devices::list_devices(tx, workspace, None)? {
        if device.revoked_at.is_none() {
            erasures::expect(tx, workspace, device.id, contact)?;
        }
    }
    Ok(true)
}

/// Makes a contact's rights those that the ledger says. Whether anything changed, or is to be done when
/// the contact comes back.
fn assign_again(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    mut claim: LedgerClaim,
    unknown: &mut BTreeSet<UserId>,
) -> Result<bool> {
    let mut known = |user: &UserId| -> Result<bool> {
        let is = is_user(tx, workspace, *user)?;
        if !is {
            unknown.insert(*user);
        }
        Ok(is)
    };
    if let Some(owner) = &claim.owner
        && !known(owner)?
    {
        claim.owner = None;
    }
    let mut others = Vec::with_capacity(claim.collaborators.len());
    for user in &claim.collaborators {
        if known(user)? {
            others.push(*user);
        }
    }
    claim.collaborators = others;
    let Some(found) = contacts::find(tx, workspace, contact)? else {
        notes::keep_claim(tx, workspace, contact, &claim)?;
        return Ok(true);
    };
    if found.erased_at.is_some() {
        return Ok(false);
    }
    let remove = contacts::accesses(tx, workspace, contact)?
        .into_iter()
        .filter(|(user, access)| {
            *access == Access::Collaborator && !claim.collaborators.contains(user)
        })
        .map(|(user, _)| user)
        .collect();
    let wanted = Wanted { owner: Some(claim.owner), add: claim.collaborators, remove };
    let changed = assign_one(tx, workspace, contact, &wanted, &mut Done::default())?;
    contacts::raise_epoch(tx, found.n, claim.epoch)?;
    if changed == Some(false) {
        // It is so again, after it was otherwise: what devices have been told meanwhile says nothing.
        let cursor = workspaces::assign_cursors(tx, workspace, 1)?;
        contacts::set_assigned(tx, found.n, cursor)?;
        contacts::raise_sort_cursor(tx, workspace, contact, cursor)?;
    }
    Ok(changed == Some(true) || claim.epoch > found.epoch)
}

/// Gives a contact that comes back the rights that the ledger says it had.
///
/// # Errors
/// What the database says.
pub(super) fn settle_claim(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<bool> {
    let Some(claim) = notes::take_claim(tx, workspace, contact)? else { return Ok(false) };
    assign_again(tx, workspace, contact, claim, &mut BTreeSet::new())
}
