//! The table, cell by cell, and the scope over a real database.

use super::*;

const ROLES: [Role; 4] = [Role::Rep, Role::ReadOnly, Role::Manager, Role::Admin];

/// For each role and action what is answered to own, shared, team, shared by the team, foreign:
/// `+` allowed, `-` forbidden, `.` hidden.
const TABLE: &[(Action, [&str; 4])] = &[
    //                      rep      read     manager  admin
    (Action::Receive, ["++...", "++...", "++...", "++..."]),
    (Action::Upload, ["++...", "--...", "++...", "++..."]),
    (Action::DecideLate, ["+-...", "--...", "+-...", "+-..."]),
    (Action::Enter, ["-----", "+++++", "+++++", "+++++"]),
    (Action::Read, [".....", "++++.", "++++.", "+++++"]),
    (Action::Edit, [".....", "----.", "++++.", "+++++"]),
    (Action::Create, ["-----", "-----", "+++++", "+++++"]),
    (Action::Steer, [".....", "----.", "+-+-.", "+++++"]),
    (Action::SeePerson, [".....", "++++.", "++++.", "+++++"]),
    (Action::SteerDevices, [".....", "----.", "+-+-.", "+++++"]),
    (Action::GiveTo, [".....", "----.", "+-+-.", "+++++"]),
    (Action::SeeAlerts, [".....", ".....", "..+..", "+++++"]),
    (Action::ManagePeople, ["-----", "-----", "-----", "+++++"]),
    (Action::ReadAudit, ["-----", "-----", "-----", "+++++"]),
    (Action::Administer, ["-----", "-----", "-----", "+++++"]),
];

#[test]
fn every_role_action_and_relation_is_answered_as_the_table_says() {
    assert_eq!(TABLE.iter().map(|row| row.0).collect::<Vec<_>>(), Action::ALL);
    for (action, cells) in TABLE {
        for (role, cell) in ROLES.into_iter().zip(cells) {
            let answered: String = Relation::ALL
                .into_iter()
                .map(|relation| match decide(role, *action, relation) {
                    Decision::Allow => '+',
                    Decision::Forbid => '-',
                    Decision::Hide => '.',
                })
                .collect();
            assert_eq!(answered, *cell, "{role:?} {action:?}");
        }
    }
}

#[test]
fn what_is_not_seen_is_never_forbidden_only_hidden() {
    for role in ROLES {
        for action in Action::ALL.into_iter().filter(|action| action.has_object()) {
            let decision = decide(role, action, Relation::Foreign);
            assert_ne!(decision, Decision::Forbid, "{role:?} {action:?} tells that it exists");
        }
    }
}

#[test]
fn nothing_that_may_be_edited_is_unreadable() {
    for role in ROLES {
        for relation in Relation::ALL {
            let may = |action| decide(role, action, relation) == Decision::Allow;
            assert!(!may(Action::Edit) || may(Action::Read), "{role:?} {relation:?}");
            assert!(!may(Action::Steer) || may(Action::Edit), "{role:?} {relation:?}");
            assert!(!may(Action::Upload) || may(Action::Receive), "{role:?} {relation:?}");
        }
    }
}

mod house {
    use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
    use rusqlite::Transaction;

    use super::super::*;
    use crate::engine::{Engine, EngineOptions};
    use crate::store::people::{self, NewUser};
    use crate::store::{Result, contacts, teams};

    fn id(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    fn person(
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        n: u8,
        role: Role,
        team: Option<&str>,
    ) -> Result<()> {
        let login = format!("user{n}");
        let new = NewUser { id: id(n), login: &login, name: "", role, team };
        people::create_user(tx, workspace, &new, 1)
    }

    fn contact(
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        n: u8,
        owner: Option<u8>,
        beside: &[u8],
    ) -> Result<()> {
        let contact = ContactId::from_bytes([n; 16]);
        contacts::create(tx, workspace, contact, owner.map(id), 1, 1)?;
        for user in beside {
            let access = Access::Collaborator;
            contacts::set_access(tx, workspace, contact, id(*user), access, 1)?;
        }
        Ok(())
    }

    /// Teams: Germany > North > Coast, and Austria beside it. Rep 1 is in Coast, 2 in North, 3 in
    /// Austria; manager 11 leads North, 12 Germany, 13 Austria, 14 has no team; 15 may only read in
    /// North; 16 is the admin. Contact n is owned by rep n, 4 by rep 3 with rep 1 beside, 5 by nobody,
    /// 6 by rep 3 with manager 11 beside, 7 by manager 11.
    fn house() -> (std::sync::Arc<Engine>, WorkspaceId, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), EngineOptions::default()).unwrap();
        let workspace = engine.create_workspace("Ours").unwrap();
        engine
            .write(move |tx| -> Result<()> {
                teams::set(tx, workspace, "Germany", None)?;
                teams::set(tx, workspace, "North", Some("Germany"))?;
                teams::set(tx, workspace, "Coast", Some("North"))?;
                teams::set(tx, workspace, "Austria", None)?;
                person(tx, workspace, 1, Role::Rep, Some("coast"))?;
                person(tx, workspace, 2, Role::Rep, Some("North"))?;
                person(tx, workspace, 3, Role::Rep, Some("Austria"))?;
                person(tx, workspace, 11, Role::Manager, Some("North"))?;
                person(tx, workspace, 12, Role::Manager, Some("Germany"))?;
                person(tx, workspace, 13, Role::Manager, Some("Austria"))?;
                person(tx, workspace, 14, Role::Manager, None)?;
                person(tx, workspace, 15, Role::ReadOnly, Some("North"))?;
                person(tx, workspace, 16, Role::Admin, Some("Coast"))?;
                for n in 1..=3 {
                    contact(tx, workspace, n, Some(n), &[])?;
                }
                contact(tx, workspace, 4, Some(3), &[1])?;
                contact(tx, workspace, 5, None, &[])?;
                contact(tx, workspace, 6, Some(3), &[11])?;
                contact(tx, workspace, 7, Some(11), &[])
            })
            .unwrap();
        (engine, workspace, dir)
    }

    #[test]
    fn teams_nest_and_the_sql_condition_says_the_same_as_the_table() {
        let (engine, workspace, _dir) = house();
        use Relation::{Foreign, Own, Shared, Team, TeamShared};
        let cases: [(u8, [Relation; 7]); 7] = [
            (1, [Own, Foreign, Foreign, Shared, Foreign, Foreign, Foreign]),
            (11, [Team, Team, Foreign, TeamShared, Foreign, Shared, Own]),
            (12, [Team, Team, Foreign, TeamShared, Foreign, TeamShared, Team]),
            (13, [Foreign, Foreign, Team, Team, Foreign, Team, Foreign]),
            (14, [Team; 7]),
            (15, [Team, Team, Foreign, TeamShared, Foreign, TeamShared, Team]),
            (16, [Team; 7]),
        ];
        engine
            .read(|conn| -> Result<()> {
                for (n, relations) in cases {
                    let rights = Rights::of(conn, &people::user(conn, workspace, id(n))?)?;
                    for (contact, expected) in (1_u8..).zip(relations) {
                        let id = ContactId::from_bytes([contact; 16]);
                        assert_eq!(
                            rights.contact(conn, id)?,
                            expected,
                            "user {n}, contact {contact}"
                        );
                        let sql = format!(
                            "SELECT count(*) FROM contact c WHERE c.id = ?{}",
                            rights.and_seen("c.id")
                        );
                        let listed: i64 =
                            conn.query_row(&sql, [id.as_bytes()], |row| row.get(0))?;
                        assert_eq!(
                            listed == 1,
                            rights.sees(conn, id)?,
                            "user {n}, contact {contact}"
                        );
                    }
                    let unknown = ContactId::from_bytes([99; 16]);
                    if n != 16 {
                        assert_eq!(rights.contact(conn, unknown)?, Foreign);
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_team_can_not_be_put_into_itself() {
        let (engine, workspace, _dir) = house();
        let refused = engine.write(move |tx| teams::set(tx, workspace, "Germany", Some("Coast")));
        assert!(refused.unwrap_err().to_string().contains("Coast"));
        let own = engine.write(move |tx| teams::set(tx, workspace, "North", Some("north")));
        assert!(own.is_err());
    }
}
