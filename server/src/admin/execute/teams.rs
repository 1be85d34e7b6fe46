//! Teams, and what changes of people: role, team, whether they come in.

use roadbook_protocol::ids::WorkspaceId;
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure, UserChange};
use crate::engine::EngineError;
use crate::store::people::{self as users, Role, User};
use crate::store::{audit, factors, teams};

impl Job<'_> {
    pub(super) fn team_set(&self, name: &str, parent: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (by, now) = (self.by(workspace).ok(), self.engine.now_ms());
        let (team, within) = (name.to_owned(), parent.map(str::to_owned));
        self.engine.write(move |tx| -> Result<(), EngineError> {
            teams::set(tx, workspace, &team, within.as_deref())?;
            let detail = json!({ "parent": within });
            audit::append(tx, workspace, now, by, "team.set", &team, &detail)
        })?;
        let mut answer = Answer::new(json!({ "name": name, "parent": parent }), String::new());
        answer.notes.push(match parent {
            Some(parent) => format!("team `{name}` is a part of `{parent}`"),
            None => format!("team `{name}` is a part of no other"),
        });
        Ok(answer)
    }

    pub(super) fn team_list(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let all = self.engine.read(|conn| teams::list(conn, workspace))?;
        let rows: Vec<_> = all
            .iter()
            .map(|team| {
                let parent = team.parent.clone().unwrap_or_default();
                vec![team.name.clone(), parent, team.people.to_string()]
            })
            .collect();
        Ok(Answer::new(json!({ "teams": all }), table(&["team", "part of", "people"], &rows)))
    }

    pub(super) fn user_change(&self, wanted: &UserChange) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let user = self.user(workspace, &wanted.login)?;
        let role = wanted.role.as_deref().map(str::parse::<Role>).transpose()?;
        self.keep_an_admin(workspace, &user, role, wanted.disabled)?;
        let (by, now, id) = (self.by(workspace).ok(), self.engine.now_ms(), user.id);
        let change = wanted.clone();
        let was_disabled = user.disabled_at.is_some();
        self.engine.write(move |tx| -> Result<(), EngineError> {
            let team = change.team.as_deref();
            let to_team = team.filter(|team| !team.is_empty());
            users::update_user(tx, workspace, id, change.name.as_deref(), role, to_team)?;
            if let Some(login) = &change.to {
                users::set_login(tx, workspace, id, login)?;
            }
            if team == Some("") {
                users::clear_team(tx, workspace, id)?;
            }
            let disabled = change.disabled.filter(|disabled| *disabled != was_disabled);
            if let Some(disabled) = disabled {
                users::set_disabled(tx, workspace, id, disabled.then_some(now))?;
            }
            // Ids and words of this program: not the name.
            let detail = json!({ "role": role, "team": team, "disabled": disabled, "named": change.name.is_some(), "login": change.to.is_some() });
            audit::append(tx, workspace, now, by, "user.change", &id.to_string(), &detail)
        })?;
        if wanted.disabled == Some(true) {
            self.engine.shut_out(workspace, id)?;
        }
        let user = self.engine.read(|conn| users::user(conn, workspace, id))?;
        let mut answer = Answer::new(json!({ "user": user }), String::new());
        answer.notes.push(format!(
            "{} `{}`, team {}{}",
            user.role.as_str(),
            user.login,
            user.team.as_deref().unwrap_or("none"),
            user.disabled_at
                .map(|at| format!(", kept out since {}", moment(at)))
                .unwrap_or_default()
        ));
        Ok(answer)
    }

    /// A workspace without anybody who may administer it could not be administered any more.
    fn keep_an_admin(
        &self,
        workspace: WorkspaceId,
        user: &User,
        role: Option<Role>,
        disabled: Option<bool>,
    ) -> Result<(), Failure> {
        let stays = role.is_none_or(|role| role == Role::Admin) && disabled != Some(true);
        if user.role != Role::Admin || user.disabled_at.is_some() || stays {
            return Ok(());
        }
        let all = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let other = all.iter().any(|other| {
            other.id != user.id && other.role == Role::Admin && other.disabled_at.is_none()
        });
        if other {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "`{}` is the only administrator; make another one first",
            user.login
        )))
    }

    pub(super) fn second_factor_off(&self, login: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let user = self.user(workspace, login)?;
        let (by, now, id) = (self.by(workspace).ok(), self.engine.now_ms(), user.id);
        let there = self.engine.write(move |tx| -> Result<bool, EngineError> {
            let there = factors::remove(tx, workspace, id)?;
            if there {
                let (what, subject) = ("user.factor_off", id.to_string());
                audit::append(tx, workspace, now, by, what, &subject, &json!({ "by": "admin" }))?;
            }
            Ok(there)
        })?;
        let mut answer =
            Answer::new(json!({ "login": user.login, "was_on": there }), String::new());
        answer.notes.push(match there {
            true => format!(
                "`{}` signs in without a second factor until they set up a new one",
                user.login
            ),
            false => format!("`{}` had no second factor", user.login),
        });
        Ok(answer)
    }
}
