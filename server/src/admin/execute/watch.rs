//! What managers are told of, and how much of the base may be read.

use serde_json::{Value, json};

use super::{Job, moment, table};
use crate::admin::request::{AlertCommand, Answer, Failure, VolumeCommand};
use crate::engine::{EngineError, Limit, Reader, Reading, Touch};
use crate::rights::Rights;
use crate::store::alerts::{self, Alert};
use crate::store::people as users;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};

/// Alerts that are listed.
const ALERTS_MAX: u32 = 1_000;

impl Job<'_> {
    pub(super) fn alert(&self, command: &AlertCommand) -> Result<Answer, Failure> {
        match command {
            AlertCommand::List { all } => self.alert_list(*all),
            AlertCommand::Seen { numbers } => self.alert_seen(numbers),
        }
    }

    fn alert_list(&self, all: bool) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let rights = self.rights(workspace)?;
        let (found, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            let found = alerts::list(conn, workspace, all, ALERTS_MAX)?;
            Ok((found, users::list_users(conn, workspace)?))
        })?;
        let login = |id: Option<UserId>| match id {
            Some(id) => people
                .iter()
                .find(|user| user.id == id)
                .map_or_else(|| id.to_string(), |user| user.login.clone()),
            None => "operator".to_owned(),
        };
        let (mut rows, mut data) = (Vec::new(), Vec::new());
        for alert in found.iter().filter(|alert| may_see(&rights, alert)) {
            rows.push(vec![
                alert.n.to_string(),
                moment(alert.last_at),
                login(alert.user),
                what(alert),
                alert.times.to_string(),
                alert.seen_at.map_or_else(|| "new".to_owned(), |_| "seen".to_owned()),
            ]);
            let mut one = serde_json::to_value(alert).unwrap_or_default();
            one["login"] = json!(login(alert.user));
            one["what"] = json!(what(alert));
            data.push(one);
        }
        let header = ["alert", "last", "who", "what", "times", "state"];
        let mut answer = Answer::new(json!({ "alerts": data }), table(&header, &rows));
        if !rows.is_empty() {
            answer.notes.push(
                "what to do: `device revoke ID` wipes a device, `user change LOGIN --disable` ends all of somebody's \
                 sessions, `volume lift LOGIN` lets them go on, `alert seen N` files the alert"
                    .to_owned(),
            );
        }
        Ok(answer)
    }

    fn alert_seen(&self, numbers: &[i64]) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let rights = self.rights(workspace)?;
        let mut seen = Vec::new();
        for n in numbers {
            let found = self.engine.read(|conn| alerts::find(conn, workspace, *n));
            match found {
                Ok(alert) if may_see(&rights, &alert) => {}
                // One that is not shown does not exist.
                Ok(_) | Err(EngineError::NotFound { .. }) => {
                    return Err(Failure::refused(format!(
                        "alert {n} does not exist; `alert list --all` shows all"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
            if self.engine.alert_seen(workspace, *n, self.who(workspace)?)? {
                seen.push(*n);
            }
        }
        let mut answer = Answer::new(json!({ "seen": seen }), String::new());
        answer.notes.push(match seen.len() {
            0 => "all of them had been seen before".to_owned(),
            n => format!("{n} filed as seen"),
        });
        Ok(answer)
    }

    pub(super) fn volume(&self, command: &VolumeCommand) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        match command {
            VolumeCommand::Show => {
                let (mut rows, mut data) = (Vec::new(), Vec::new());
                for reading in Reading::ALL {
                    let limit = self.engine.volume_limit(workspace, reading)?;
                    rows.push(vec![
                        reading.as_str().to_owned(),
                        match limit.contacts {
                            0 => "no limit".to_owned(),
                            n => n.to_string(),
                        },
                        limit.hours.to_string(),
                    ]);
                    data.push(limit_json(reading, limit));
                }
                let header = ["kind", "contacts", "hours"];
                let mut answer = Answer::new(json!({ "limits": data }), table(&header, &rows));
                answer.notes.push(
                    "a device may be given five times what its user holds in any case".to_owned(),
                );
                Ok(answer)
            }
            VolumeCommand::Set { kind, contacts, hours, unlimited } => {
                let reading: Reading = kind.parse()?;
                let limit = match (contacts, unlimited) {
                    (_, true) => Limit { contacts: 0, hours: *hours },
                    (Some(contacts), false) if *contacts > 0 => {
                        Limit { contacts: *contacts, hours: *hours }
                    }
                    _ => {
                        return Err(Failure::refused(
                            "--contacts: write 1 or more, or --unlimited for no limit",
                        ));
                    }
                };
                self.engine.set_volume_limit(workspace, self.who(workspace)?, reading, limit)?;
                Ok(Answer::new(limit_json(reading, limit), String::new()))
            }
            VolumeCommand::Lift { login } => {
                let user = self.user(workspace, login)?;
                self.engine.lift_volume(workspace, self.who(workspace)?, user.id)?;
                let mut answer = Answer::new(json!({ "lifted": user.login }), String::new());
                answer.notes.push(format!(
                    "the count of `{}` begins anew; what was held back goes on by itself",
                    user.login
                ));
                Ok(answer)
            }
        }
    }

    /// Counts contacts that a command is about to write out, and tells managers where it is too much:
    /// then nothing is written. The operator at the shell, who has the files anyway, is told of and
    /// not stopped.
    pub(super) fn take_export(&self, ids: &[ContactId]) -> Result<(), Failure> {
        let workspace = self.workspace()?;
        match self.who(workspace)? {
            Some(user) => {
                let reader = Reader { workspace, user, device: None };
                let count = ids.len() as u64;
                if let Some(held) = self.engine.take_volume(reader, Reading::Export, count)? {
                    return Err(Failure::refused(held.to_string()));
                }
            }
            None => self.engine.tell_of_export(workspace, ids.len() as u64)?,
        }
        self.touch(Touch::Export, ids)
    }

    /// Tells managers of canaries among contacts.
    pub(super) fn touch(&self, touch: Touch, ids: &[ContactId]) -> Result<(), Failure> {
        let workspace = self.workspace()?;
        let by = self.who(workspace)?;
        Ok(self.engine.touch_canaries(workspace, by, touch, ids.iter().copied())?)
    }

    /// Who was named with `--as`; `None` for the operator.
    pub(super) fn who(&self, workspace: WorkspaceId) -> Result<Option<UserId>, Failure> {
        self.by.as_ref().map(|login| Ok(self.user(workspace, login)?.id)).transpose()
    }
}

/// Whether somebody is told of an alert: administrators, and the managers of who did it.
fn may_see(rights: &Rights, alert: &Alert) -> bool {
    rights.sees_alert(alert.user)
}

/// What happened, in words.
fn what(alert: &Alert) -> String {
    let Alert { contacts, most, .. } = alert;
    let too_many = |done: &str| format!("{contacts} contacts {done}, {most} are usual");
    match (alert.kind.as_str(), alert.how.as_str()) {
        ("volume", "device") => too_many("sent to devices"),
        ("volume", "page") => too_many("opened"),
        ("volume", "list") => too_many("listed"),
        ("volume", "export") => too_many("exported"),
        ("volume", "api") => too_many("read over the API"),
        ("canary", how) => {
            let done = match how {
                "open" => "opened",
                "edit" => "edited",
                "export" => "exported",
                _ => "in an export for mailing",
            };
            let id = alert.contact.map(|contact| contact.to_string()).unwrap_or_default();
            format!("planted contact {id} {done}")
        }
        (kind, how) => format!("{kind}: {how}"),
    }
}

fn limit_json(reading: Reading, limit: Limit) -> Value {
    json!({
        "kind": reading.as_str(),
        "contacts": (limit.contacts > 0).then_some(limit.contacts),
        "hours": limit.hours,
    })
}
