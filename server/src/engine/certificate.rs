//! Enrolment certificates (rule 4): a device that this database does not know may deliver its edits all
//! the same, while it is under review whether the database is the newest.

use roadbook_protocol::ids::{DeviceId, WorkspaceId};
use roadbook_protocol::wire::EnrolmentCertificate;
use rusqlite::Transaction;
use serde_json::json;

use super::handle::Engine;
use super::review;
use crate::store::devices::{self, Device};
use crate::store::people::{self, NewUser, Role};
use crate::store::{EngineError, Result, audit};

impl Engine {
    /// The certificate of a device, for it to keep; empty where its names are too long for one.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], and what the database says.
    pub fn certificate(&self, workspace: WorkspaceId, id: DeviceId) -> Result<Vec<u8>> {
        let found = self.read(|conn| -> Result<_> {
            let Some(device) = devices::find_device(conn, workspace, id)? else { return Ok(None) };
            let user = people::user(conn, workspace, device.user)?;
            Ok(Some((device, user)))
        })?;
        let Some((device, user)) = found else { return Ok(Vec::new()) };
        let certificate = EnrolmentCertificate {
            user: user.id,
            login: user.login,
            user_name: user.name,
            role: user.role.as_str().to_owned(),
            algorithm: device.algorithm,
            public_key: device.public_key,
            name: device.name,
            issued_at: self.now_ms(),
        };
        let sealed = certificate.seal(&workspace, &id, |text| self.sign(workspace, text))?;
        Ok(sealed.unwrap_or_default())
    }

    /// Makes a device known again that was enrolled after the backup from which this database comes:
    /// only under review, when no customer data goes out, and only by a certificate that this
    /// workspace's key has signed. Says whether it did. Durable.
    ///
    /// Nobody has proved the device's key yet, nor need they: the device did exist, and what is made
    /// here can do nothing without that key.
    ///
    /// # Errors
    /// What the database says.
    pub fn readmit(
        &self,
        workspace: WorkspaceId,
        id: DeviceId,
        certificate: &[u8],
    ) -> Result<bool> {
        if certificate.is_empty() || self.read(|conn| review::since(conn, workspace))?.is_none() {
            return Ok(false);
        }
        let key = match self.public_key(workspace) {
            Ok(key) => key,
            Err(EngineError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(certificate) = EnrolmentCertificate::open(certificate, &workspace, &id, &key)
        else {
            tracing::info!(device = %id, "an enrolment certificate does not hold");
            return Ok(false);
        };
        let now = self.now_ms();
        self.write(move |tx| {
            let under_review = review::since(tx, workspace)?.is_some();
            if !under_review || devices::find_device(tx, workspace, id)?.is_some() {
                return Ok(under_review);
            }
            let device = readmitted(workspace, id, &certificate);
            person(tx, &device, &certificate, now)?;
            devices::create_device(tx, &device)?;
            let detail = json!({ "certificate": certificate.issued_at });
            let by = Some(device.user);
            audit::append(tx, workspace, now, by, "device.readmit", &id.to_string(), &detail)?;
            Ok(true)
        })
    }
}

fn readmitted(workspace: WorkspaceId, id: DeviceId, by: &EnrolmentCertificate) -> Device {
    Device {
        workspace,
        id,
        user: by.user,
        algorithm: by.algorithm,
        public_key: by.public_key.clone(),
        name: by.name.clone(),
        platform: String::new(),
        app: String::new(),
        created_at: by.issued_at,
        last_seen: None,
        revoked_at: None,
        unsent: 0,
        cursor: 0,
        missing: 0,
    }
}

/// The device's user, who may have been added after the backup as well. Without a password; under a
/// login of its own where that one was given to somebody else.
fn person(
    tx: &Transaction<'_>,
    device: &Device,
    certificate: &EnrolmentCertificate,
    now: i64,
) -> Result<()> {
    match people::user(tx, device.workspace, device.user) {
        Ok(_) => return Ok(()),
        Err(EngineError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let digits: String = device.user.to_string().chars().rev().take(6).collect();
    for login in [certificate.login.clone(), format!("{}-{digits}", certificate.login)] {
        let new = NewUser {
            id: device.user,
            login: &login,
            name: &certificate.user_name,
            role: certificate.role.parse().unwrap_or(Role::ReadOnly),
            team: None,
        };
        match people::create_user(tx, device.workspace, &new, now) {
            Err(EngineError::Taken { .. }) => {}
            done => return done,
        }
    }
    Err(EngineError::Taken { what: format!("the login `{}`", certificate.login) })
}
