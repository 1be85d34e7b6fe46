//! Binding the replica to a device, a user and a server: what an enrolment leaves behind.

use roadbook_protocol::ids::{DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::copies::Aftermath;
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::store::meta::{self, key};
use crate::store::{bound, drops};

/// What the device is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enrolled {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// The device.
    pub device: DeviceId,
    /// Its user.
    pub user: UserId,
    /// The login.
    pub login: String,
    /// The user's name.
    pub user_name: String,
    /// The address that the device syncs with.
    pub server_url: String,
}

/// What the server granted, and where.
pub(crate) struct Binding {
    pub granted: wire::Enrolled,
    pub server_url: String,
    pub pin: Option<String>,
    pub device_name: String,
}

/// Keeps the certificate that a server gave, if it gave one.
pub(crate) fn note_certificate(conn: &Connection, certificate: &[u8]) -> Result<()> {
    if certificate.is_empty() || certificate.len() > wire::CERTIFICATE_BYTES_MAX {
        return Ok(());
    }
    meta::set(conn, key::CERTIFICATE, certificate)
}

impl Replica {
    /// Binds the replica. Under an earlier enrolment of the same user its edits are kept: those that
    /// are not merged are authored anew, since the server takes the old actors from the old device
    /// only.
    pub(crate) fn bind(&self, binding: &Binding) -> Result<Enrolled> {
        let granted = &binding.granted;
        self.check_bindable(granted)?;
        // First the key: a replica that says it is enrolled must be able to prove it.
        self.inner.home.adopt_key()?;
        self.forget_wipe()?;
        self.beginning_anew()?;
        self.write("bind", |write| {
            let tx = &write.tx;
            let before = meta::id(tx, key::DEVICE, DeviceId::from_bytes)?;
            // That of an earlier enrolment is another device's.
            meta::remove(tx, key::CERTIFICATE)?;
            meta::set(tx, key::WORKSPACE, granted.workspace.as_bytes())?;
            meta::set(tx, key::WORKSPACE_NAME, &granted.workspace_name)?;
            meta::set(tx, key::WORKSPACE_KEY, &granted.workspace_key)?;
            if let Some(sealing) = &granted.sealing
                && sealing.holds(&granted.workspace, &granted.workspace_key)
            {
                meta::set(tx, key::SEALING_KEY, &sealing.key)?;
            }
            note_certificate(tx, &granted.certificate)?;
            meta::set(tx, key::USER, granted.user.as_bytes())?;
            meta::set(tx, key::LOGIN, &granted.login)?;
            meta::set(tx, key::USER_NAME, &granted.user_name)?;
            meta::set(tx, key::DEVICE, granted.device.as_bytes())?;
            meta::set(tx, key::DEVICE_NAME, &binding.device_name)?;
            meta::set(tx, key::SERVER_URL, &binding.server_url)?;
            match &binding.pin {
                Some(pin) => meta::set(tx, key::PIN, pin)?,
                None => meta::remove(tx, key::PIN)?,
            }
            bound::keep(tx)?;
            meta::remove(tx, key::COPIED_AT)?;
            match before {
                Some(before) if before != granted.device => {
                    write.take_new_actor()?;
                    // The new device has not confirmed what the old one did.
                    drops::untell(&write.tx)?;
                    write.tx.execute("UPDATE contact_actor SET actor = NULL", [])?;
                    write.author_anew(|_| true)?;
                }
                _ => {
                    write.tx.execute(
                        "UPDATE own_actor SET device = ?1 WHERE device IS NULL",
                        params![granted.device.as_bytes()],
                    )?;
                }
            }
            write.notices.sync = true;
            write.then(Aftermath::Compare);
            Ok(())
        })?;
        self.begun_anew();
        Ok(Enrolled {
            workspace: granted.workspace,
            workspace_name: granted.workspace_name.clone(),
            device: granted.device,
            user: granted.user,
            login: granted.login.clone(),
            user_name: granted.user_name.clone(),
            server_url: binding.server_url.clone(),
        })
    }

    /// One replica holds the contacts of one user of one workspace.
    fn check_bindable(&self, granted: &wire::Enrolled) -> Result<()> {
        let bound = self.read(|conn| {
            let workspace = meta::id(conn, key::WORKSPACE, WorkspaceId::from_bytes)?;
            let user = meta::id(conn, key::USER, UserId::from_bytes)?;
            let login = meta::get::<String>(conn, key::LOGIN)?.unwrap_or_default();
            Ok(workspace.zip(user).map(|(workspace, user)| (workspace, user, login)))
        })?;
        match bound {
            Some((workspace, user, login))
                if workspace != granted.workspace || user != granted.user =>
            {
                Err(Error::NotAllowed {
                    reason: format!(
                        "{} holds the contacts of {login}, the code is for {}; use another --home for \
                         them",
                        self.home().display(),
                        granted.login
                    ),
                })
            }
            _ => Ok(()),
        }
    }
}
