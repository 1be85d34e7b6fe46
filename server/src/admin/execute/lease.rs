//! How long devices may be read offline, codes that extend it, and what wiped devices handed over
//! that did not become proposals.

use roadbook_protocol::document::Command;
use serde_json::{Value, json};

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure};
use crate::store::people::Role;
use crate::store::wipes;

const ROLES: [Role; 4] = [Role::Rep, Role::Manager, Role::Admin, Role::ReadOnly];

impl Job<'_> {
    pub(super) fn lease_show(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (mut rows, mut data) = (Vec::new(), Vec::new());
        for role in ROLES {
            let days = self.engine.lease_days(workspace, role)?;
            rows.push(vec![
                role.as_str().to_owned(),
                days.map_or_else(|| "no end".to_owned(), |days| days.to_string()),
            ]);
            data.push(json!({ "role": role.as_str(), "days": days }));
        }
        Ok(Answer::new(json!({ "leases": data }), table(&["role", "days"], &rows)))
    }

    /// `days` is `None` for a lease without an end.
    pub(super) fn lease_set(&self, role: &str, days: Option<u32>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let role: Role = role.parse()?;
        self.engine.set_lease_days(workspace, self.by(workspace).ok(), role, days)?;
        let data = json!({ "role": role.as_str(), "days": days });
        let mut answer = Answer::new(data, String::new());
        answer.notes.push(match days {
            Some(days) => format!(
                "devices of the role {} may be read for {days} days without a contact, from their next contact on",
                role.as_str()
            ),
            None => format!("devices of the role {} may be read without an end", role.as_str()),
        });
        Ok(answer)
    }

    pub(super) fn device_extend(&self, text: &str, days: u32) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let id = self.device_named(workspace, text)?;
        let (code, until) =
            self.engine.extend_lease(workspace, self.by(workspace).ok(), id, days)?;
        let data = json!({ "id": id, "code": code, "until": until });
        let mut answer = Answer::new(data, format!("{code}\n"));
        answer.notes.push(format!(
            "for device {id} only, once, until its next contact; it may be read until {}",
            moment(until)
        ));
        answer.notes.push(format!("on the device: roadbook lease {code}"));
        Ok(answer)
    }

    /// Edits that a wiped device handed over and that could not become proposals, with their commands.
    pub(super) fn device_recovered(&self, text: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let device = text.map(|text| self.device_named(workspace, text)).transpose()?;
        let kept = self.engine.read(|conn| wipes::kept(conn, workspace, device))?;
        let (mut rows, mut data) = (Vec::new(), Vec::new());
        for kept in &kept {
            let edit = &kept.edit;
            rows.push(vec![
                kept.device.to_string(),
                edit.contact.to_string(),
                edit.label.clone(),
                moment(edit.at),
                edit.code.clone(),
                edit.reason.clone(),
            ]);
            let commands: Vec<Command> = serde_json::from_str(&edit.commands).unwrap_or_default();
            data.push(json!({
                "n": kept.n,
                "device": kept.device,
                "user_id": kept.user,
                "received_at": kept.received_at,
                "contact": edit.contact,
                "edit": edit.edit,
                "hash": edit.hash.map(|hash| hash.to_string()),
                "label": edit.label,
                "at": edit.at,
                "code": edit.code,
                "reason": edit.reason,
                "commands": commands,
            }));
        }
        let header = ["device", "contact", "edit", "made", "code", "why it is no proposal"];
        Ok(Answer::new(json!({ "edits": Value::Array(data) }), table(&header, &rows)))
    }

    pub(super) fn sealing_key_new(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        self.engine.renew_sealing_key(workspace, self.by(workspace).ok())?;
        let mut answer = Answer::new(json!({ "made": true }), String::new());
        answer.notes.push(
            "devices seal to the new key from their next contact on; the old ones are kept, to open what was \
             sealed to them: keep the directory `keys` in your backup of keys"
                .to_owned(),
        );
        Ok(answer)
    }
}
