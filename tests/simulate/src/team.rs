//! Teams: who joins or leaves one changes what its manager sees and steers, and nothing on any device.

use roadbook_protocol::ids::ContactId;
use roadbook_server::rights::Rights;
use roadbook_server::store::EngineError;
use roadbook_server::store::people::{self, NewUser, Role};

use crate::world::World;

/// The one team, and the login of its manager.
const TEAM: &str = "north";
const HEAD: &str = "head";

impl World {
    /// A rep joins the team or leaves it.
    pub fn change_team(&mut self, user: u32, joins: bool) {
        let Some(engine) = self.server.engine() else { return };
        let number = self.nth_user(user);
        let (workspace, now) = (self.server.workspace, engine.now_ms());
        let (rep, head) = (self.server.users[number], engine.random());
        let changed = engine.write(move |tx| -> Result<(), EngineError> {
            // The first time, and after a restore to before it.
            if people::users_of_login(tx, HEAD)?.is_empty() {
                let id = roadbook_protocol::ids::UserId::from_random(head);
                let team = Some(TEAM);
                let new = NewUser { id, login: HEAD, name: "", role: Role::Manager, team };
                people::create_user(tx, workspace, &new, now)?;
            }
            match joins {
                true => people::update_user(tx, workspace, rep, None, None, Some(TEAM)),
                false => people::clear_team(tx, workspace, rep),
            }
        });
        if self.office("a team", changed).is_none() {
            return;
        }
        self.cover.count(if joins { "act.join_team" } else { "act.leave_team" });
        match joins {
            true => self.oracle.team.insert(number),
            false => self.oracle.team.remove(&number),
        };
        self.check_team();
    }

    /// The manager sees what people of the team hold, and nothing else.
    fn check_team(&mut self) {
        let Some(engine) = self.server.engine() else { return };
        // Who may hold something by evidence is known to the server alone.
        let sure = |contact: &ContactId| {
            !self.oracle.absent.contains(contact)
                && self.oracle.may_have_regained(*contact).is_empty()
        };
        let contacts: Vec<(ContactId, bool)> = self
            .oracle
            .rights
            .iter()
            .filter(|(contact, _)| sure(contact))
            .map(|(contact, rights)| {
                (*contact, self.oracle.team.iter().any(|user| rights.held_by(*user)))
            })
            .collect();
        let wrong = engine.read(|conn| -> Result<Option<(ContactId, bool)>, EngineError> {
            let Some(head) = people::users_of_login(conn, HEAD)?.pop() else { return Ok(None) };
            let rights = Rights::of(conn, &head)?;
            for (contact, held) in contacts {
                if rights.sees(conn, contact)? != held {
                    return Ok(Some((contact, held)));
                }
            }
            Ok(None)
        });
        match wrong {
            Ok(None) => {}
            Ok(Some((contact, held))) => {
                let word = if held { "does not see" } else { "sees" };
                let detail = format!("the manager of the team {word} contact {contact}");
                self.violated("a manager sees what the team holds", detail);
            }
            Err(error) => {
                if !self.server_trouble() {
                    self.violated("the server can be read", error.to_string());
                }
            }
        }
    }
}
