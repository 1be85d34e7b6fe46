//! What is held back after a restore without the ledger, and letting it go.

use roadbook_protocol::ids::UserId;
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure, ReviewCommand};
use crate::engine::review::{self, ReviewedDevice};

impl Job<'_> {
    pub(super) fn review(&self, command: &ReviewCommand) -> Result<Answer, Failure> {
        match command {
            ReviewCommand::Show => self.review_show(),
            ReviewCommand::Confirm { code } => {
                let workspace = self.workspace()?;
                self.engine.confirm_review(workspace, self.who(workspace)?, code)?;
                let mut answer = Answer::new(json!({ "confirmed": true }), String::new());
                answer.notes.push(
                    "customer data goes out again; devices that are connected come back by themselves"
                        .to_owned(),
                );
                Ok(answer)
            }
        }
    }

    fn review_show(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let Some(found) = self.engine.read(|conn| review::read(conn, workspace))? else {
            let text = "nothing is held back: there is no review\n";
            return Ok(Answer::new(json!({ "review": null }), text));
        };
        let login = |id: UserId| {
            let user = found.people.iter().find(|(user, _)| user.id == id);
            user.map_or_else(|| id.to_string(), |(user, _)| user.login.clone())
        };
        let devices: Vec<ReviewedDevice> = found
            .devices
            .iter()
            .map(|device| ReviewedDevice {
                id: device.id.to_string(),
                login: login(device.user),
                name: device.name.clone(),
                revoked: device.revoked_at.is_some(),
                last_seen: device.last_seen,
            })
            .collect();
        let device_rows: Vec<Vec<String>> = devices
            .iter()
            .map(|device| {
                vec![
                    device.id.clone(),
                    device.login.clone(),
                    device.name.clone(),
                    if device.revoked { "revoked" } else { "gets data again" }.to_owned(),
                    device.last_seen.map_or_else(|| "never".to_owned(), moment),
                ]
            })
            .collect();
        let people_rows: Vec<Vec<String>> = found
            .people
            .iter()
            .map(|(user, contacts)| {
                let state = if user.disabled_at.is_some() { "disabled" } else { "may come in" };
                let role = user.role.as_str().to_owned();
                vec![user.login.clone(), role, state.to_owned(), contacts.to_string()]
            })
            .collect();
        let known = found.known_until.map_or_else(|| "an unknown time".to_owned(), moment);
        let text = format!(
            "customer data is held back since {}: this database was there before, and its ledger is missing.\n\
             What happened after {known} may be missing here. Decide:\n\n\
             1. Which of these devices were lost or revoked since? device revoke ID\n{}\n\
             2. Who has left, who has which role? user change LOGIN --disable | --role ROLE\n\
             3. Whose contacts are whose? {} are nobody's. assign --to LOGIN --filter FILTER\n{}\n\
             4. Who was erased since? erase ID --reason CODE\n\n\
             If there is a copy of the ledger, stop the server and put it back instead: then nothing has to be decided.\n\
             When all of this is right: roadbook-server review confirm --code {}\n",
            moment(found.since),
            table(&["device", "whose", "name", "state", "last seen"], &device_rows),
            found.unowned,
            table(&["login", "role", "state", "contacts"], &people_rows),
            found.code,
        );
        let people: Vec<_> = found
            .people
            .iter()
            .map(|(user, contacts)| {
                json!({
                    "login": user.login, "role": user.role.as_str(),
                    "disabled": user.disabled_at.is_some(), "contacts": contacts,
                })
            })
            .collect();
        let data = json!({ "review": {
            "since": found.since, "known_until": found.known_until, "code": found.code,
            "devices": devices, "people": people, "unowned": found.unowned,
        }});
        Ok(Answer::new(data, text))
    }
}
