//! What devices are permitted, and told to do, in the workspace's name: leases, wipe orders, the
//! sealing key. Everything here is signed; nothing of it is contact data.

use roadbook_protocol::ids::{DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::sealing::OpeningKey;
use roadbook_protocol::wire::{Lease, SealingKey, WipeOrder, lease_text, sealing_text, wipe_text};
use serde_json::json;

use super::handle::Engine;
use crate::store::people::Role;
use crate::store::{EngineError, Result, audit, devices, drops, people, wipes, workspaces};

/// How long a device may be read without a contact to the server, unless it is set otherwise.
pub const LEASE_DAYS_DEFAULT: u32 = 14;
/// The longest lease that can be set; none at all is a setting of its own.
pub const LEASE_DAYS_MAX: u32 = 3_650;
/// A code that extends a lease offline.
const EXTENSION_DAYS_MAX: u32 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The setting that holds the days of a role; `0`: its devices may be read for ever.
fn setting_name(role: Role) -> String {
    format!("lease_days.{}", role.as_str())
}

impl Engine {
    /// The days of a lease for a role; `None`: without an end.
    ///
    /// # Errors
    /// What the database says.
    pub fn lease_days(&self, workspace: WorkspaceId, role: Role) -> Result<Option<u32>> {
        let set = self.read(|conn| workspaces::setting(conn, workspace, &setting_name(role)))?;
        Ok(match set.and_then(|days| days.parse().ok()) {
            None => Some(LEASE_DAYS_DEFAULT),
            Some(0) => None,
            Some(days) => Some(days),
        })
    }

    /// Sets the days of a lease for a role; `None`: without an end. Devices get it at their next
    /// contact. Durable.
    ///
    /// # Errors
    /// [`EngineError::Refused`] beyond [`LEASE_DAYS_MAX`], what the database says.
    pub fn set_lease_days(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        role: Role,
        days: Option<u32>,
    ) -> Result<()> {
        if days.is_some_and(|days| days == 0 || days > LEASE_DAYS_MAX) {
            let reason = format!("a lease has 1 to {LEASE_DAYS_MAX} days, or no end");
            return Err(EngineError::Refused { code: "lease", reason });
        }
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            let value = days.unwrap_or(0).to_string();
            workspaces::set_setting(tx, workspace, &setting_name(role), Some(&value))?;
            let detail = json!({ "days": days });
            audit::append(tx, workspace, now, by, "lease.set", role.as_str(), &detail)
        })
    }

    /// The lease that a device gets now, by the role of its user, and notes it.
    ///
    /// # Errors
    /// What the database says.
    pub fn lease(&self, workspace: WorkspaceId, device: DeviceId, user: UserId) -> Result<Lease> {
        let role = self.read(|conn| people::user(conn, workspace, user))?.role;
        let issued_at = self.now_ms();
        let days = self.lease_days(workspace, role)?;
        let until = days.map(|days| issued_at.saturating_add(i64::from(days) * DAY_MS));
        let signature = self.sign(workspace, &lease_text(&workspace, &device, issued_at, until))?;
        self.write_soon(move |tx| wipes::note_lease(tx, workspace, device, issued_at, until));
        Ok(Lease { issued_at, until, signature })
    }

    /// A one-time code that lets a device which can't reach the server be read for some more days,
    /// from now on. It is good for that device only, once, and void after its next contact. Durable
    /// in the audit log.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for a revoked device or too many days, [`EngineError::NotFound`].
    pub fn extend_lease(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        device: DeviceId,
        days: u32,
    ) -> Result<(String, UnixMs)> {
        let refused = |reason: String| Err(EngineError::Refused { code: "lease", reason });
        if days == 0 || days > EXTENSION_DAYS_MAX {
            return refused(format!("a code extends by 1 to {EXTENSION_DAYS_MAX} days"));
        }
        let found = self.read(|conn| devices::device(conn, workspace, device))?;
        let user = self.read(|conn| people::user(conn, workspace, found.user))?;
        if found.revoked_at.is_some() || user.disabled_at.is_some() {
            return refused(format!("device {device} is revoked, or its user is disabled"));
        }
        let issued_at = self.now_ms();
        let until = issued_at.saturating_add(i64::from(days) * DAY_MS);
        let lease = Lease { issued_at, until: Some(until), signature: Vec::new() };
        let key = self.shared.keys.get(workspace)?;
        let code = lease.to_code(|lease| {
            let text = lease_text(&workspace, &device, lease.issued_at, lease.until);
            key.sign(&text).as_ref().to_vec()
        });
        self.write(move |tx| -> Result<()> {
            wipes::note_lease(tx, workspace, device, issued_at, Some(until))?;
            let detail = json!({ "until": until });
            audit::append(
                tx,
                workspace,
                issued_at,
                by,
                "device.extend",
                &device.to_string(),
                &detail,
            )
        })?;
        Ok((code, until))
    }

    /// What devices seal to now, signed.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn sealing_key(&self, workspace: WorkspaceId) -> Result<SealingKey> {
        let key = self.shared.keys.sealing_key(workspace)?.to_vec();
        let signature = self.sign(workspace, &sealing_text(&workspace, &key))?;
        Ok(SealingKey { key, signature })
    }

    /// Makes a new sealing key; devices learn it at their next contact. The old ones are kept, to open
    /// what was sealed to them. Durable.
    ///
    /// # Errors
    /// [`EngineError::Io`], what the database says.
    pub fn renew_sealing_key(&self, workspace: WorkspaceId, by: Option<UserId>) -> Result<()> {
        self.shared.keys.new_sealing(self.dir(), workspace, &*self.shared.entropy)?;
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            let subject = workspace.to_string();
            audit::append(tx, workspace, now, by, "workspace.sealing_key", &subject, &json!({}))
        })
    }

    /// The key that opens what was sealed to this public half, if it is still there.
    pub fn opening_key(&self, workspace: WorkspaceId, public: &[u8]) -> Option<OpeningKey> {
        self.shared.keys.opening_key(workspace, public)
    }

    /// The order to wipe for a revoked device, signed; notes that it was given. Durable.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for a device that is not revoked, [`EngineError::NotFound`].
    pub fn wipe_order(&self, workspace: WorkspaceId, device: DeviceId) -> Result<WipeOrder> {
        let found = self.read(|conn| devices::device(conn, workspace, device))?;
        let Some(revoked_at) = found.revoked_at else {
            let reason = format!("device {device} is not revoked");
            return Err(EngineError::Refused { code: "not_revoked", reason });
        };
        let sealing_key = self.shared.keys.sealing_key(workspace)?.to_vec();
        let text = wipe_text(&workspace, &device, revoked_at, &sealing_key);
        let signature = self.sign(workspace, &text)?;
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            seen(tx, workspace, device, now)?;
            if wipes::note_told(tx, workspace, device, now)? {
                let (subject, detail) = (device.to_string(), json!({}));
                audit::append(tx, workspace, now, None, "device.wipe", &subject, &detail)?;
            }
            Ok(())
        })?;
        Ok(WipeOrder { revoked_at, sealing_key, signature })
    }

    /// The device says that it is wiped. Durable.
    ///
    /// # Errors
    /// What the database says.
    pub fn note_wiped(&self, workspace: WorkspaceId, device: DeviceId) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            let gone = devices::Seen {
                last_seen: now,
                unsent: Some(0),
                missing: Some(0),
                ..devices::Seen::default()
            };
            devices::touch_device(tx, workspace, device, &gone)?;
            if wipes::note_wiped(tx, workspace, device, now)? {
                // Nothing is left on it that it could have to drop.
                drops::confirm_all(tx, workspace, device)?;
                let recovered = wipes::standing(tx, workspace, device)?.recovered;
                let (subject, detail) = (device.to_string(), json!({ "edits": recovered }));
                audit::append(tx, workspace, now, None, "device.wiped", &subject, &detail)?;
            }
            Ok(())
        })?;
        self.publish(super::types::Event::DeviceSeen { workspace, device });
        Ok(())
    }
}

fn seen(
    tx: &rusqlite::Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    now: UnixMs,
) -> Result<()> {
    let seen = devices::Seen { last_seen: now, ..devices::Seen::default() };
    devices::touch_device(tx, workspace, device, &seen)
}
