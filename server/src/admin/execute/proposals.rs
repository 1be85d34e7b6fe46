//! Late edits that wait for a decision, and what to do when somebody leaves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Decide, Failure, Leaver};
use crate::engine::{self, EngineError, Verdict};
use crate::store::proposals::{Item, Proposal, Wanted};
use crate::store::{api_keys, audit, contacts, devices, people, projections, wipes};

/// So many sets are listed, those that changed last first.
const SETS_MAX: u32 = 10_000;
/// Characters of a value in a table.
const SHOWN_MAX: usize = 60;

/// What people call those who occur in proposals.
struct Names {
    users: HashMap<UserId, String>,
}

impl Names {
    fn of(&self, user: UserId) -> String {
        self.users.get(&user).cloned().unwrap_or_else(|| user.to_string())
    }
}

impl Job<'_> {
    fn names(&self, workspace: WorkspaceId) -> Result<Names, Failure> {
        let users = self.engine.read(|conn| people::list_users(conn, workspace))?;
        Ok(Names { users: users.into_iter().map(|user| (user.id, user.login)).collect() })
    }

    pub(super) fn proposal_list(
        &self,
        all: bool,
        contact: Option<&str>,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let contact = match contact {
            Some(text) => self.contact_ids(workspace, &[text.to_owned()])?.first().copied(),
            None => None,
        };
        let wanted = Wanted { decided: all, contact, offset: 0, limit: SETS_MAX };
        let sets = self.engine.proposals(workspace, wanted)?;
        let names = self.names(workspace)?;
        let rows: Vec<Vec<String>> = sets
            .iter()
            .map(|set| {
                vec![
                    set.n.to_string(),
                    moment(set.received_at),
                    names.of(set.author),
                    set.contact.to_string(),
                    set.items.len().to_string(),
                    set.state.as_str().to_owned(),
                ]
            })
            .collect();
        let data: Vec<_> =
            sets.iter().map(|set| self.told(workspace, set, &names)).collect::<Result<_, _>>()?;
        let header = ["n", "received", "author", "contact", "items", "state"];
        Ok(Answer::new(json!({ "proposals": data }), table(&header, &rows)))
    }

    pub(super) fn proposal_show(&self, n: i64) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let set = self.engine.proposal(workspace, n)?;
        self.shown(workspace, &set, Vec::new())
    }

    pub(super) fn proposal_decide(&self, wanted: &Decide) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let by = self.by(workspace)?;
        let verdict = match wanted.verdict.as_str() {
            "accept" => Verdict::Accept,
            "decline" => Verdict::Decline,
            _ => Verdict::Undo,
        };
        let items = (!wanted.items.is_empty()).then_some(wanted.items.as_slice());
        let decided = self.engine.decide(workspace, by, wanted.n, items, verdict)?;
        self.shown(workspace, &decided.proposal, decided.notes)
    }

    fn shown(
        &self,
        workspace: WorkspaceId,
        set: &Proposal,
        notes: Vec<String>,
    ) -> Result<Answer, Failure> {
        let names = self.names(workspace)?;
        let data = self.told(workspace, set, &names)?;
        let mut text = String::new();
        // Writing into a string can't fail.
        let _ = writeln!(
            text,
            "proposal {} for contact {}: {}, by {}, received {}",
            set.n,
            set.contact,
            set.state.as_str(),
            names.of(set.author),
            moment(set.received_at)
        );
        let rows: Vec<Vec<String>> = set
            .items
            .iter()
            .map(|item| {
                vec![
                    item.i.to_string(),
                    item.path.clone(),
                    short(&item.base),
                    short(&item.proposed),
                    item.state.as_str().to_owned(),
                    item.decided_by.map(|user| names.of(user)).unwrap_or_default(),
                ]
            })
            .collect();
        text += &table(&["item", "field", "was", "proposed", "state", "by"], &rows);
        Ok(Answer { notes, ..Answer::new(data, text) })
    }

    /// A set as `--json` tells it.
    fn told(
        &self,
        workspace: WorkspaceId,
        set: &Proposal,
        names: &Names,
    ) -> Result<serde_json::Value, Failure> {
        let name = self.engine.read(|conn| -> Result<Option<String>, EngineError> {
            Ok(match contacts::find(conn, workspace, set.contact)? {
                Some(found) if found.cursor > 0 => projections::display_name(conn, found.n)?,
                _ => None,
            })
        })?;
        let mut data = serde_json::to_value(set).unwrap_or_default();
        data["author_login"] = json!(names.of(set.author));
        data["display_name"] = json!(name);
        if let Some(items) = data["items"].as_array_mut() {
            for (told, item) in items.iter_mut().zip(&set.items) {
                told["decided_by_login"] = json!(item.decided_by.map(|user| names.of(user)));
                told["taken_at_once"] = json!(is_at_once(item));
            }
        }
        Ok(data)
    }

    /// Hands over everything of somebody who leaves, ends their sessions, revokes their devices, and
    /// tells what has not been sent yet.
    pub(super) fn leaver(&self, wanted: &Leaver) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let user = self.user(workspace, &wanted.login)?;
        let by = self.by(workspace)?;
        if by == user.id {
            return Err(Failure::refused(format!(
                "`{}` can't leave by their own hand; name another admin with --as",
                user.login
            )));
        }
        let (mut owned, mut shared) = self.held(workspace, user.id)?;
        let mut plan = self.plan(workspace, wanted, &user, &owned)?;
        let (devices, standings, keys) = self.engine.read(|conn| -> Result<_, EngineError> {
            let devices = devices::list_devices(conn, workspace, Some(user.id))?;
            let standings: Vec<_> = devices
                .iter()
                .map(|device| wipes::standing(conn, workspace, device.id))
                .collect::<Result<_, _>>()?;
            let keys: Vec<String> = api_keys::list(conn, workspace)?
                .into_iter()
                .filter(|key| key.user == user.id && key.revoked_at.is_none())
                .map(|key| key.name)
                .collect();
            Ok((devices, standings, keys))
        })?;
        // What a wiped device had not sent was handed over.
        let unsent_on =
            |device: &devices::Device, standing: &wipes::Standing| match standing.wiped_at {
                Some(_) => 0,
                None => device.unsent,
            };
        let cursor = self.engine.public_cursor(workspace)?;
        let with_standing = || devices.iter().zip(&standings);
        let unsent: u64 =
            with_standing().map(|(device, standing)| u64::from(unsent_on(device, standing))).sum();
        if !wanted.dry_run {
            self.shut_out(workspace, by, user.id)?;
            // Contacts that came while the door was still open leave as well.
            (owned, shared) = self.held(workspace, user.id)?;
            plan = self.plan(workspace, wanted, &user, &owned)?;
            self.leave(workspace, by, user.id, &plan, shared.clone(), &devices)?;
        }
        let state =
            |device: &devices::Device, standing: &wipes::Standing| match standing.state(device) {
                "enrolled" if !wanted.dry_run => "revoked",
                state => state,
            };
        let told_devices: Vec<_> = with_standing()
            .map(|(device, standing)| {
                json!({
                    "id": device.id,
                    "name": device.name,
                    "platform": device.platform,
                    "last_seen": device.last_seen,
                    "unsent": unsent_on(device, standing),
                    "behind": cursor.saturating_sub(device.cursor),
                    "revoked": device.revoked_at.is_some() || !wanted.dry_run,
                    "state": state(device, standing),
                })
            })
            .collect();
        let to: BTreeMap<&str, usize> =
            plan.iter().map(|(login, _, contacts)| (login.as_str(), contacts.len())).collect();
        let data = json!({
            "user": user.login,
            "dry_run": wanted.dry_run,
            "contacts": owned.len(),
            "collaborations": shared.len(),
            "to": to,
            "devices": told_devices,
            "unsent": unsent,
            "api_keys": keys,
        });
        let will = if wanted.dry_run { "would be" } else { "were" };
        let mut text = String::new();
        for (login, _, contacts) in &plan {
            let _ = writeln!(text, "{} contacts {will} handed over to {login}", contacts.len());
        }
        let _ = writeln!(text, "{} collaborations {will} ended", shared.len());
        let rows: Vec<Vec<String>> = with_standing()
            .map(|(device, standing)| {
                vec![
                    device.id.to_string(),
                    device.name.clone(),
                    device.last_seen.map_or_else(|| "never".to_owned(), moment),
                    unsent_on(device, standing).to_string(),
                    state(device, standing).to_owned(),
                ]
            })
            .collect();
        text += &table(&["device", "name", "last seen", "unsent", "state"], &rows);
        let mut answer = Answer::new(data, text);
        if !keys.is_empty() {
            answer.notes.push(format!(
                "programs that use a key of `{}` get no answer any more: {}; `api-key add` makes one in the name of \
                 somebody who stays, `api-key revoke` ends these for good",
                user.login,
                keys.join(", ")
            ));
        }
        if unsent > 0 {
            answer.notes.push(format!(
                "{unsent} edits were not sent when the devices were last seen; they come as proposals \
                 at their next contact: `proposal list`"
            ));
        }
        Ok(answer)
    }

    /// First the door: nobody signs in or uploads as ordinary while contacts move.
    fn shut_out(&self, workspace: WorkspaceId, by: UserId, user: UserId) -> Result<(), Failure> {
        let now = self.engine.now_ms();
        Ok(self.engine.write(move |tx| -> Result<(), EngineError> {
            // Their sessions end with it.
            people::set_disabled(tx, workspace, user, Some(now))?;
            let detail = json!({});
            audit::append(tx, workspace, now, Some(by), "user.leave", &user.to_string(), &detail)
        })?)
    }

    fn leave(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        user: UserId,
        plan: &[(String, Option<UserId>, Vec<ContactId>)],
        shared: Vec<ContactId>,
        devices: &[devices::Device],
    ) -> Result<(), Failure> {
        for (_, owner, contacts) in plan {
            let assign = engine::Assign {
                contacts: contacts.clone(),
                owner: Some(*owner),
                remove_collaborators: vec![user],
                ..engine::Assign::default()
            };
            self.engine.assign(workspace, Some(by), assign)?;
        }
        let assign = engine::Assign {
            contacts: shared,
            remove_collaborators: vec![user],
            ..engine::Assign::default()
        };
        self.engine.assign(workspace, Some(by), assign)?;
        for device in devices.iter().filter(|device| device.revoked_at.is_none()) {
            self.engine.revoke(workspace, Some(by), device.id)?;
        }
        Ok(())
    }

    /// What somebody owns, and what they work on beside another.
    fn held(
        &self,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<(Vec<ContactId>, Vec<ContactId>), Failure> {
        let (mut owned, mut shared) = (Vec::new(), Vec::new());
        self.engine.read(|conn| -> Result<(), EngineError> {
            contacts::for_each(conn, workspace, Some(user), |contact| {
                match contact.owner == Some(user) {
                    true => owned.push(contact.id),
                    false => shared.push(contact.id),
                }
                Ok(())
            })
        })?;
        Ok((owned, shared))
    }

    /// Who gets what: by the first rule that matches, the rest to `--to`, or to nobody.
    fn plan(
        &self,
        workspace: WorkspaceId,
        wanted: &Leaver,
        leaver: &people::User,
        owned: &[ContactId],
    ) -> Result<Vec<Share>, Failure> {
        let heir = |login: &str| -> Result<people::User, Failure> {
            let heir = self.user(workspace, login)?;
            if heir.id == leaver.id || heir.disabled_at.is_some() {
                return Err(Failure::refused(format!(
                    "`{login}` can't take contacts over; name somebody who stays"
                )));
            }
            Ok(heir)
        };
        let mut left: Vec<ContactId> = owned.to_vec();
        let mut plan = Vec::new();
        for rule in &wanted.rules {
            let Some((filter, login)) = rule.rsplit_once('=') else {
                return Err(Failure::refused(format!(
                    "the rule `{rule}` is not FILTER=LOGIN, such as `city:Berlin=ada`"
                )));
            };
            let heir = heir(login.trim())?;
            let matching: HashSet<ContactId> =
                self.matching(workspace, filter)?.into_iter().collect();
            let (theirs, rest) = left.into_iter().partition(|id| matching.contains(id));
            left = rest;
            plan.push((heir.login, Some(heir.id), theirs));
        }
        match &wanted.to {
            Some(login) => {
                let heir = heir(login)?;
                plan.push((heir.login, Some(heir.id), left));
            }
            None => plan.push(("nobody".to_owned(), None, left)),
        }
        Ok(plan)
    }
}

/// Whose a part of a leaver's contacts becomes: the login for the report, nobody or somebody, which.
type Share = (String, Option<UserId>, Vec<ContactId>);

fn is_at_once(item: &Item) -> bool {
    item.decided_by.is_none() && item.change.is_some()
}

/// A value for a table.
fn short(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.replace('\n', " "),
        serde_json::Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name}: {}", short(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    text.chars().take(SHOWN_MAX - 1).chain(['…']).collect()
}
