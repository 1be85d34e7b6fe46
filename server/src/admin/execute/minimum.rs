//! The oldest versions of apps that get customer data.

use roadbook_protocol::session::outdated;
use serde_json::json;

use super::{Job, table};
use crate::admin::request::{Answer, Failure};
use crate::engine::EngineError;
use crate::store::{devices, people, workspaces};

impl Job<'_> {
    pub(super) fn minimum_app_show(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (minimum, all, users) = self.engine.read(|conn| -> Result<_, EngineError> {
            let minimum = workspaces::find(conn, workspace)?.minimum_app.unwrap_or_default();
            let all = devices::list_devices(conn, workspace, None)?;
            Ok((minimum, all, people::list_users(conn, workspace)?))
        })?;
        let login = |id| users.iter().find(|user| user.id == id).map(|user| user.login.clone());
        let (mut rows, mut data) = (Vec::new(), Vec::new());
        for device in all.iter().filter(|device| device.revoked_at.is_none()) {
            let Some(oldest) = outdated(&device.app, &minimum) else { continue };
            let user = login(device.user).unwrap_or_default();
            rows.push(vec![
                device.id.to_string(),
                user.clone(),
                device.name.clone(),
                device.app.clone(),
                oldest.to_owned(),
                device.unsent.to_string(),
            ]);
            data.push(json!({
                "id": device.id,
                "user": user,
                "name": device.name,
                "app": device.app,
                "minimum_app": oldest,
                "unsent": device.unsent,
            }));
        }
        let apps: Vec<&str> = minimum.split_whitespace().collect();
        let mut text = match apps.is_empty() {
            true => "every version gets customer data\n".to_owned(),
            false => apps.iter().map(|app| format!("{app}\n")).collect(),
        };
        if !rows.is_empty() {
            text.push('\n');
            text += &table(&["device", "user", "name", "app", "needs", "unsent"], &rows);
        }
        Ok(Answer::new(json!({ "minimum_apps": apps, "outdated": data }), text))
    }

    pub(super) fn minimum_app_set(&self, app: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        self.engine.set_minimum_app(workspace, self.by(workspace).ok(), app)?;
        let mut answer = self.minimum_app_show()?;
        answer.notes.push(
            "devices that run an older version get no customer data from their next contact on, and are told to \
             update; their edits are still taken"
                .to_owned(),
        );
        Ok(answer)
    }

    pub(super) fn minimum_app_clear(&self, name: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        self.engine.clear_minimum_app(workspace, self.by(workspace).ok(), name)?;
        self.minimum_app_show()
    }
}
