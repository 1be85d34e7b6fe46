//! Keys of the HTTP API.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, ApiKeyCommand, Failure};
use crate::api::new_key;
use crate::engine::EngineError;
use crate::rights::{self, Action, ApiScope, Decision, Relation};
use crate::store::api_keys::{self, ApiKey};
use crate::store::audit;

impl Job<'_> {
    pub(super) fn api_key(&self, command: &ApiKeyCommand) -> Result<Answer, Failure> {
        match command {
            ApiKeyCommand::Add { name, scopes, user, rate } => {
                self.api_key_add(name, scopes, user.as_deref(), *rate)
            }
            ApiKeyCommand::List => self.api_key_list(),
            ApiKeyCommand::Revoke { key } => self.api_key_revoke(key),
        }
    }

    fn api_key_add(
        &self,
        name: &str,
        scopes: &[String],
        user: Option<&str>,
        rate: u32,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let mut wanted = scopes
            .iter()
            .map(|word| word.parse::<ApiScope>())
            .collect::<Result<Vec<_>, EngineError>>()?;
        wanted.sort_unstable();
        wanted.dedup();
        let user = self.office_user(workspace, user)?;
        let (id, whole, hash) = new_key(self.engine);
        let key = ApiKey {
            id: id.clone(),
            workspace,
            name: name.to_owned(),
            user,
            scopes: wanted,
            rate,
            created_at: self.engine.now_ms(),
            last_used: None,
            revoked_at: None,
        };
        let by = self.asker(workspace)?;
        let made = key.clone();
        self.engine.write(move |tx| -> Result<(), EngineError> {
            api_keys::create(tx, &made, &hash, by)?;
            let detail =
                json!({ "user": made.user.to_string(), "scopes": made.scopes, "rate": made.rate });
            audit::append(tx, workspace, made.created_at, by, "api_key.add", &made.id, &detail)
        })?;
        let mut data = json!(key);
        data["key"] = json!(whole);
        let mut answer = Answer::new(data, format!("{whole}\n"));
        answer.notes.push(format!(
            "this is the key `{name}`; keep it where only the program reads it: it is not shown again"
        ));
        Ok(answer)
    }

    /// Whose rights a key or a webhook has: somebody who may use the office.
    pub(super) fn office_user(
        &self,
        workspace: WorkspaceId,
        login: Option<&str>,
    ) -> Result<UserId, Failure> {
        let Some(login) = login else { return self.by(workspace) };
        let user = self.user(workspace, login)?;
        let enters = rights::decide(user.role, Action::Enter, Relation::Own);
        if enters == Decision::Allow && user.disabled_at.is_none() {
            return Ok(user.id);
        }
        Err(Failure::refused(format!(
            "--user {login}: somebody is needed who may use the office (a manager, an admin, or read only) and is not disabled; name another"
        )))
    }

    /// Who is named with `--as`; nobody is the operator at the shell.
    pub(super) fn asker(&self, workspace: WorkspaceId) -> Result<Option<UserId>, Failure> {
        self.by.as_ref().map(|login| Ok(self.user(workspace, login)?.id)).transpose()
    }

    fn api_key_list(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (keys, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            Ok((
                api_keys::list(conn, workspace)?,
                crate::store::people::list_users(conn, workspace)?,
            ))
        })?;
        let rows: Vec<Vec<String>> = keys
            .iter()
            .map(|key| {
                let login = people.iter().find(|user| user.id == key.user);
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                vec![
                    key.id.clone(),
                    key.name.clone(),
                    login.map_or_else(String::new, |user| user.login.clone()),
                    scopes.join(","),
                    key.last_used.map_or_else(|| "never".to_owned(), moment),
                    key.revoked_at.map_or_else(String::new, |at| format!("revoked {}", moment(at))),
                ]
            })
            .collect();
        let text = table(&["id", "name", "user", "scopes", "last used", "state"], &rows);
        Ok(Answer::new(json!({ "api_keys": keys }), text))
    }

    fn api_key_revoke(&self, wanted: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let keys = self.engine.read(|conn| api_keys::list(conn, workspace))?;
        let open: Vec<&ApiKey> = keys.iter().filter(|key| key.revoked_at.is_none()).collect();
        let found = open.iter().find(|key| key.id == wanted || key.name == wanted).ok_or_else(|| {
            Failure::refused(format!(
                "API key `{wanted}` does not exist or was revoked already; `api-key list` shows all"
            ))
        })?;
        let by = self.asker(workspace)?;
        let (id, now) = (found.id.clone(), self.engine.now_ms());
        self.engine.write(move |tx| -> Result<(), EngineError> {
            api_keys::revoke(tx, workspace, &id, now)?;
            audit::append(tx, workspace, now, by, "api_key.revoke", &id, &json!({}))
        })?;
        let mut answer = Answer::new(json!({ "revoked": found.id }), String::new());
        answer.notes.push(format!("the key `{}` opens nothing any more", found.name));
        Ok(answer)
    }
}
