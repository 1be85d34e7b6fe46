//! Users, workspaces, one-time codes and devices.

use std::collections::HashMap;

use roadbook_protocol::ids::{DeviceId, UserId, WorkspaceId};
use roadbook_protocol::session::outdated;
use serde_json::json;

use super::{Context, FIRST_ADMIN_SETTING, Job, add_first_admin, moment, table};
use crate::admin::qr;
use crate::admin::request::{Answer, Failure};
use crate::engine::{Engine, EngineError};
use crate::office::sign_in::welcome_path;
use crate::rights::{Action, Decision, Relation, decide};
use crate::store::people::{self as users, NewUser, Purpose, Role, User};
use crate::store::{audit, devices, wipes, workspaces};

/// A one-time code and until when it can be used.
struct Code {
    code: String,
    expires_at: i64,
}

impl Job<'_> {
    pub(super) fn workspace_add(&self, name: &str) -> Result<Answer, Failure> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Failure::refused("a workspace needs a name"));
        }
        let id = self.engine.create_workspace(name)?;
        add_first_admin(self.engine, id)?;
        let mut answer = Answer::new(json!({ "id": id, "name": name }), format!("{id}\n"));
        answer.notes.push(format!("workspace `{name}` was added"));
        if let Some(note) = first_sign_in(self.engine, self.context, id)? {
            answer.notes.push(note);
        }
        Ok(answer)
    }

    pub(super) fn workspace_list(&self) -> Result<Answer, Failure> {
        let all = self.engine.workspaces()?;
        let rows: Vec<_> = all
            .iter()
            .map(|w| vec![w.id.to_string(), w.name.clone(), moment(w.created_at)])
            .collect();
        let data: Vec<_> = all
            .iter()
            .map(|w| json!({ "id": w.id, "name": w.name, "created_at": w.created_at }))
            .collect();
        Ok(Answer::new(json!({ "workspaces": data }), table(&["id", "name", "since"], &rows)))
    }

    pub(super) fn user_add(
        &self,
        login: &str,
        role: &str,
        name: &str,
        team: Option<&str>,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let role: Role = role.parse()?;
        let by = self.by(workspace).ok();
        let (id, now) = (UserId::from_random(self.engine.random()), self.engine.now_ms());
        let (login, name, team) = (login.to_owned(), name.to_owned(), team.map(str::to_owned));
        let id = self.engine.write(move |tx| -> Result<UserId, EngineError> {
            let new = NewUser { id, login: &login, name: &name, role, team: team.as_deref() };
            // The admin that was made with the workspace, and never signed in, may be claimed.
            let made = workspaces::setting(tx, workspace, FIRST_ADMIN_SETTING)?;
            let id = match users::find_user(tx, workspace, &login) {
                Ok(there)
                    if Some(there.id.to_string()) == made
                        && !there.has_password
                        && role == Role::Admin =>
                {
                    let name = Some(name.as_str()).filter(|name| !name.is_empty());
                    users::update_user(tx, workspace, there.id, name, None, team.as_deref())?;
                    workspaces::set_setting(tx, workspace, FIRST_ADMIN_SETTING, None)?;
                    there.id
                }
                _ => {
                    users::create_user(tx, workspace, &new, now)?;
                    id
                }
            };
            // Ids and words of this program: neither login nor name.
            let detail = json!({ "role": role, "team": team });
            audit::append(tx, workspace, now, by, "user.add", &id.to_string(), &detail)?;
            Ok(id)
        })?;
        let user = self.engine.read(|conn| users::user(conn, workspace, id))?;
        self.with_code(&user, format!("{} `{}` was added", role.as_str(), user.login))
    }

    pub(super) fn user_code(&self, login: &str) -> Result<Answer, Failure> {
        let user = self.user(self.workspace()?, login)?;
        self.record(user.workspace, "user.code", &user.id.to_string(), json!({}))?;
        self.with_code(&user, format!("a new code for `{}`", user.login))
    }

    /// A user with the code with which they come in: into the office, or with a device.
    fn with_code(&self, user: &User, note: String) -> Result<Answer, Failure> {
        let purpose = if may_enter(user.role) { Purpose::SignIn } else { Purpose::Enrol };
        let code = self.code(user, purpose)?;
        let mut data = json!({
            "id": user.id,
            "login": user.login,
            "role": user.role,
            "name": user.name,
            "code": code.code,
            "expires_at": code.expires_at,
        });
        let mut answer = Answer::new(json!(null), format!("{}\n", code.code));
        answer.notes.push(note);
        if purpose == Purpose::Enrol {
            answer.notes.push(format!(
                "enrolment code, until {}; `invite {}` makes another:",
                moment(code.expires_at),
                user.login
            ));
        } else {
            let path = welcome_path(&code.code);
            match &self.context.url {
                Some(url) => {
                    data["url"] = json!(format!("{url}{path}"));
                    answer.notes.push(format!("one-time sign-in: {url}{path}"));
                }
                None => answer
                    .notes
                    .push(format!("one-time sign-in: put {path} behind the server's address")),
            }
            answer.notes.push(format!(
                "sign-in code, until {}; `user code {}` makes another:",
                moment(code.expires_at),
                user.login
            ));
        }
        answer.data = data;
        Ok(answer)
    }

    /// Somebody out of reach does not exist.
    fn reach(&self, user: &User, action: Action) -> Result<(), Failure> {
        match self.rights(user.workspace)?.on_person(action, user.id) {
            Decision::Allow => Ok(()),
            _ => Err(EngineError::not_found(format!("user `{}`", user.login)).into()),
        }
    }

    fn code(&self, user: &User, purpose: Purpose) -> Result<Code, Failure> {
        Ok(make_code(self.engine, self.context, user, purpose)?)
    }

    pub(super) fn user_list(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let all = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let rows: Vec<_> = all
            .iter()
            .map(|user| {
                let state = match user.disabled_at {
                    Some(at) => format!("disabled since {}", moment(at)),
                    None => String::new(),
                };
                vec![
                    user.login.clone(),
                    user.role.as_str().to_owned(),
                    user.name.clone(),
                    user.team.clone().unwrap_or_default(),
                    state,
                ]
            })
            .collect();
        Ok(Answer::new(
            json!({ "users": all }),
            table(&["login", "role", "name", "team", ""], &rows),
        ))
    }

    pub(super) fn invite(&self, login: &str) -> Result<Answer, Failure> {
        let user = self.user(self.workspace()?, login)?;
        self.reach(&user, Action::SteerDevices)?;
        let code = self.code(&user, Purpose::Enrol)?;
        self.record(user.workspace, "device.invite", &user.id.to_string(), json!({}))?;
        let mut answer = Answer::new(
            json!({ "code": code.code, "expires_at": code.expires_at }),
            format!("{}\n", code.code),
        );
        answer.notes.push(format!(
            "one device of {} can be enrolled until {}",
            user.name,
            moment(code.expires_at)
        ));
        if let Some(url) = &self.context.url {
            let mut line = format!("on the device: roadbook enroll {url} {}", code.code);
            let mut link = format!("roadbook://enrol?url={}&code={}", percent(url), code.code);
            if let Some(fingerprint) = &self.context.fingerprint {
                line.push_str(&format!(" --fingerprint {fingerprint}"));
                link.push_str(&format!("&fingerprint={}", percent(fingerprint)));
            }
            answer.notes.extend(qr::terminal(&link));
            answer.notes.push(line);
            answer.data["link"] = link.into();
        }
        Ok(answer)
    }

    pub(super) fn device_list(&self, login: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let user = login.map(|login| self.user(workspace, login)).transpose()?.map(|user| user.id);
        let (all, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            Ok((devices::list_devices(conn, workspace, user)?, users::list_users(conn, workspace)?))
        })?;
        let logins: HashMap<UserId, String> =
            people.into_iter().map(|user| (user.id, user.login)).collect();
        let cursor = self.engine.public_cursor(workspace)?;
        let mut rows = Vec::new();
        let mut data = Vec::new();
        let now = self.engine.now_ms();
        let rights = self.rights(workspace)?;
        let seen = |user| rights.on_person(Action::SeePerson, user) == Decision::Allow;
        let minimum = self.engine.minimum_apps(workspace)?.join(" ");
        for device in all.iter().filter(|device| seen(device.user)) {
            let standing = self.engine.read(|conn| wipes::standing(conn, workspace, device.id))?;
            let login = logins.get(&device.user).cloned().unwrap_or_default();
            let oldest = outdated(&device.app, &minimum);
            let told = [
                Some(standing.told(device)).filter(|told| !told.is_empty()),
                oldest.map(|oldest| format!("outdated, needs {oldest}")),
            ];
            rows.push(vec![
                device.id.to_string(),
                login.clone(),
                device.name.clone(),
                device.platform.clone(),
                device.app.clone(),
                device.last_seen.map_or_else(|| "never".to_owned(), moment),
                cursor.saturating_sub(device.cursor).to_string(),
                device.unsent.to_string(),
                match (standing.lease_issued_at, standing.lease_until) {
                    (None, _) => String::new(),
                    (Some(_), None) => "no end".to_owned(),
                    (Some(_), Some(until)) if until <= now => format!("ended {}", moment(until)),
                    (Some(_), Some(until)) => moment(until),
                },
                told.into_iter().flatten().collect::<Vec<_>>().join("; "),
            ]);
            data.push(json!({
                "id": device.id,
                "user": login,
                "user_id": device.user,
                "name": device.name,
                "platform": device.platform,
                "app": device.app,
                "outdated": oldest.is_some(),
                "minimum_app": oldest,
                "created_at": device.created_at,
                "last_seen": device.last_seen,
                "unsent": device.unsent,
                "cursor": device.cursor,
                "behind": cursor.saturating_sub(device.cursor),
                "missing": device.missing,
                "revoked": device.revoked_at.is_some(),
                "revoked_at": device.revoked_at,
                "state": standing.state(device),
                "lease_until": standing.lease_until,
                "lease_ended": standing.lease_until.is_some_and(|until| until <= now),
                "wipe_told_at": standing.wipe_told_at,
                "wiped_at": standing.wiped_at,
                "recovered": standing.recovered,
                "unopened": standing.unopened,
            }));
        }
        let header = [
            "id",
            "user",
            "name",
            "platform",
            "app",
            "last seen",
            "behind",
            "unsent",
            "readable until",
            "",
        ];
        Ok(Answer::new(json!({ "devices": data }), table(&header, &rows)))
    }

    pub(super) fn device_revoke(&self, text: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let id = self.device_named(workspace, text)?;
        let found = self.engine.read(|conn| devices::find_device(conn, workspace, id))?;
        let owner = found.map(|device| device.user);
        let rights = self.rights(workspace)?;
        if owner.is_none_or(|user| rights.on_person(Action::SteerDevices, user) != Decision::Allow)
        {
            return Err(Failure::refused(format!(
                "no device has an id that begins with `{text}`; `device list` shows all"
            )));
        }
        self.engine.revoke(workspace, self.by(workspace).ok(), id)?;
        let mut answer = Answer::new(json!({ "id": id, "revoked": true }), String::new());
        answer.notes.push(format!(
            "device {id} was revoked: it gets no further data; at its next contact it seals its unsent edits, \
             wipes itself and hands them over (`device list` shows it)"
        ));
        Ok(answer)
    }

    /// The device whose id begins so.
    pub(super) fn device_named(
        &self,
        workspace: WorkspaceId,
        text: &str,
    ) -> Result<DeviceId, Failure> {
        let all = self.engine.read(|conn| devices::list_devices(conn, workspace, None))?;
        let wanted = text.trim().to_lowercase();
        let found: Vec<DeviceId> = all
            .iter()
            .map(|device| device.id)
            .filter(|id| !wanted.is_empty() && id.to_string().starts_with(&wanted))
            .collect();
        let [id] = found[..] else {
            let what = if found.is_empty() { "no device has" } else { "several devices have" };
            return Err(Failure::refused(format!(
                "{what} an id that begins with `{text}`; `device list` shows all"
            )));
        };
        Ok(id)
    }
}

/// Whether a role uses the pages, and so comes in by a password and not by a device.
fn may_enter(role: Role) -> bool {
    decide(role, Action::Enter, Relation::Own) == Decision::Allow
}

fn make_code(
    engine: &Engine,
    context: &Context,
    user: &User,
    purpose: Purpose,
) -> Result<Code, EngineError> {
    let (now, random, valid_ms) = (engine.now_ms(), engine.random(), context.code_ms);
    let (workspace, id) = (user.workspace, user.id);
    let code = engine
        .write(move |tx| users::new_code(tx, workspace, id, purpose, random, now, valid_ms))?;
    Ok(Code { code, expires_at: now + valid_ms })
}

/// The one-time link for the first admin, as long as no admin of the workspace has a password; for
/// the operator's eyes only, never for a log.
pub fn first_sign_in(
    engine: &Engine,
    context: &Context,
    workspace: WorkspaceId,
) -> Result<Option<String>, EngineError> {
    let all = engine.read(|conn| users::list_users(conn, workspace))?;
    let mut admins =
        all.iter().filter(|user| user.role == Role::Admin && user.disabled_at.is_none());
    if admins.clone().any(|admin| admin.has_password) {
        return Ok(None);
    }
    let Some(admin) = admins.next() else { return Ok(None) };
    let code = make_code(engine, context, admin, Purpose::SignIn)?;
    let path = welcome_path(&code.code);
    Ok(Some(format!(
        "first sign-in of `{}`, once, until {}: {}{path}",
        admin.login,
        moment(code.expires_at),
        context.url.as_deref().unwrap_or_default()
    )))
}

/// A text inside a URL's query.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
