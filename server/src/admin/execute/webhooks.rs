//! Webhooks: where events are sent, what was given up, and sending it again.

use roadbook_protocol::ids::WorkspaceId;
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure, WebhookCommand};
use crate::api::{NewWebhook, add_webhook, remove_webhook};
use crate::engine::EngineError;
use crate::store::audit;
use crate::store::webhooks::{self, Webhook};

/// So many of what was given up are listed.
const DEAD_MAX: u32 = 10_000;

impl Job<'_> {
    pub(super) fn webhook(&self, command: &WebhookCommand) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        match command {
            WebhookCommand::Add { url, events, user, attempts, backoff_ms } => {
                let new = NewWebhook {
                    url: url.clone(),
                    events: events.clone(),
                    user: self.office_user(workspace, user.as_deref())?,
                    attempts_max: *attempts,
                    backoff_ms: *backoff_ms,
                };
                let by = self.asker(workspace)?;
                let (hook, secret) = add_webhook(self.engine, workspace, by, new)?;
                let mut data = json!(hook);
                data["secret"] = json!(secret);
                let mut answer = Answer::new(data, format!("{}\n{secret}\n", hook.id));
                answer.notes.push(
                    "the second line is the secret of its signatures; it is not shown again"
                        .to_owned(),
                );
                Ok(answer)
            }
            WebhookCommand::List => self.webhook_list(workspace),
            WebhookCommand::Remove { id } => {
                let hook = self.webhook_named(workspace, id)?;
                remove_webhook(self.engine, workspace, self.asker(workspace)?, &hook.id)?;
                let mut answer = Answer::new(json!({ "removed": hook.id }), String::new());
                answer.notes.push(format!("nothing is sent to {} any more", hook.url));
                Ok(answer)
            }
            WebhookCommand::Dead { id } => {
                let hook = self.webhook_named(workspace, id)?;
                let dead = self.engine.read(|conn| webhooks::dead(conn, &hook.id, DEAD_MAX))?;
                let rows: Vec<Vec<String>> = dead
                    .iter()
                    .map(|dead| {
                        vec![
                            dead.n.to_string(),
                            moment(dead.at),
                            dead.event.clone(),
                            dead.contact.to_string(),
                            dead.attempts.to_string(),
                            dead.error.clone(),
                        ]
                    })
                    .collect();
                let text = table(&["n", "given up", "event", "contact", "attempts", "why"], &rows);
                Ok(Answer::new(json!({ "dead": dead }), text))
            }
            WebhookCommand::Retry { id, n } => self.webhook_retry(workspace, id, *n),
        }
    }

    fn webhook_list(&self, workspace: WorkspaceId) -> Result<Answer, Failure> {
        let all = self.engine.read(|conn| -> Result<_, EngineError> {
            let mut all = Vec::new();
            for hook in webhooks::list(conn, Some(workspace))? {
                let dead = webhooks::count_dead(conn, &hook.id)?;
                all.push((hook, dead));
            }
            Ok(all)
        })?;
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|(hook, dead)| {
                vec![
                    hook.id.clone(),
                    hook.url.clone(),
                    hook.events.join(","),
                    hook.last_ok.map_or_else(|| "never".to_owned(), moment),
                    hook.attempts.to_string(),
                    dead.to_string(),
                    hook.last_error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        let data: Vec<serde_json::Value> = all
            .iter()
            .map(|(hook, dead)| {
                let mut value = json!(hook);
                value["dead"] = json!(dead);
                value
            })
            .collect();
        let head =
            ["id", "address", "events", "delivered last", "failures", "given up", "last failure"];
        Ok(Answer::new(json!({ "webhooks": data }), table(&head, &rows)))
    }

    fn webhook_retry(
        &self,
        workspace: WorkspaceId,
        id: &str,
        n: Option<i64>,
    ) -> Result<Answer, Failure> {
        let hook = self.webhook_named(workspace, id)?;
        let (by, now) = (self.asker(workspace)?, self.engine.now_ms());
        let retried = self.engine.write(move |tx| -> Result<_, EngineError> {
            let retried = webhooks::again(tx, &hook.id, n)?;
            let detail = json!({ "events": retried });
            audit::append(tx, workspace, now, by, "webhook.retry", &hook.id, &detail)?;
            Ok(retried)
        })?;
        let mut answer = Answer::new(json!({ "retried": retried }), String::new());
        answer.notes.push(format!(
            "{retried} events are sent again; `webhook dead` lists what fails once more"
        ));
        Ok(answer)
    }

    /// A webhook by its id, or a unique beginning of it.
    fn webhook_named(&self, workspace: WorkspaceId, text: &str) -> Result<Webhook, Failure> {
        let all = self.engine.read(|conn| webhooks::list(conn, Some(workspace)))?;
        let mut found =
            all.into_iter().filter(|hook| !text.is_empty() && hook.id.starts_with(text));
        match (found.next(), found.next()) {
            (Some(hook), None) => Ok(hook),
            (Some(_), Some(_)) => Err(Failure::refused(format!(
                "several webhooks begin with `{text}`; write more of the id"
            ))),
            (None, _) => Err(Failure::refused(format!(
                "webhook `{text}` does not exist; `webhook list` shows all"
            ))),
        }
    }
}
