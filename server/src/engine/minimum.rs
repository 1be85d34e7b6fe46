//! The oldest versions of apps that get customer data (rule 22). Older ones still hand in what they have, are told
//! to update, and obey wipes, erasures and leases.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use serde_json::json;

use super::handle::Engine;
use crate::store::{EngineError, Result, audit, workspaces};

/// Apps that a minimum can be set for at once.
const APPS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 64;

impl Engine {
    /// The oldest versions that get customer data, one for each app: `NAME/1.2.3`.
    ///
    /// # Errors
    /// What the database says.
    pub fn minimum_apps(&self, workspace: WorkspaceId) -> Result<Vec<String>> {
        let found = self.read(|conn| workspaces::find(conn, workspace))?;
        Ok(split(found.minimum_app.as_deref()))
    }

    /// Sets the oldest version of one app that gets customer data, in the place of what was set for that app.
    /// Counts for each device from its next contact on. Durable, and in the audit log.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for what is no `NAME/1.2.3`, and for too many apps.
    pub fn set_minimum_app(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        app: &str,
    ) -> Result<Vec<String>> {
        let name = name_of(app)?.to_owned();
        let app = app.to_owned();
        self.change_minimum(workspace, by, move |apps| {
            apps.retain(|other| !is_of(other, &name));
            apps.push(app);
            apps.sort();
        })
    }

    /// Lets every version of one app have customer data again, or of all apps. As [`Self::set_minimum_app`].
    ///
    /// # Errors
    /// What the database says.
    pub fn clear_minimum_app(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        name: Option<&str>,
    ) -> Result<Vec<String>> {
        let name = name.map(str::to_owned);
        self.change_minimum(workspace, by, move |apps| match name {
            Some(name) => apps.retain(|app| !is_of(app, &name)),
            None => apps.clear(),
        })
    }

    fn change_minimum(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        change: impl FnOnce(&mut Vec<String>) + Send + 'static,
    ) -> Result<Vec<String>> {
        let now = self.now_ms();
        self.write(move |tx| -> Result<Vec<String>> {
            let before = workspaces::find(tx, workspace)?.minimum_app;
            let mut apps = split(before.as_deref());
            change(&mut apps);
            if apps.len() > APPS_MAX {
                let reason =
                    format!("at most {APPS_MAX} apps; clear those that nobody uses any more");
                return Err(EngineError::Refused { code: "minimum_app", reason });
            }
            let after = (!apps.is_empty()).then(|| apps.join(" "));
            workspaces::set_minimum_app(tx, workspace, after.as_deref())?;
            let detail = json!({ "before": before, "after": after });
            let subject = workspace.to_string();
            audit::append(tx, workspace, now, by, "minimum_app.set", &subject, &detail)?;
            Ok(apps)
        })
    }
}

fn split(minimum: Option<&str>) -> Vec<String> {
    minimum.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn is_of(app: &str, name: &str) -> bool {
    app.split_once('/').is_some_and(|(its, _)| its == name)
}

/// The name in `NAME/1.2.3`.
fn name_of(app: &str) -> Result<&str> {
    let number = |part: &str| {
        (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts = app.split_once('/').filter(|(name, version)| {
        (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && version.split('.').count() <= 3
            && version.split('.').all(number)
    });
    parts.map(|(name, _)| name).ok_or_else(|| EngineError::Refused {
        code: "minimum_app",
        reason: format!(
            "`{app}` is no version of an app, such as roadbook/0.2.0: what the devices call themselves is in `device list`"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_version_is_a_name_and_up_to_three_numbers() {
        for (app, name) in
            [("roadbook/0.2.0", "roadbook"), ("phone/3", "phone"), ("a-b/1.20", "a-b")]
        {
            assert_eq!(name_of(app).unwrap(), name);
        }
        for bad in [
            "",
            "roadbook",
            "0.2.0",
            "/1.0",
            "a/",
            "a/b",
            "a/1.2.3.4",
            "a/1..2",
            "a b/1",
            "a/1/2",
            "a/1.x",
        ] {
            let refused = name_of(bad).unwrap_err().to_string();
            assert!(refused.contains("roadbook/0.2.0"), "{bad}: {refused}");
        }
    }
}
