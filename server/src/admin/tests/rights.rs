//! Teams, territories, commands in somebody's name, the audit log.

use super::*;
use crate::admin::request::{AuditFilter, AuditFormat, UserChange};

fn reach(office: &Office) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = ["ALFKI", "HANAR", "WOLZA"]
        .into_iter()
        .map(|key| {
            let owner = office.contact(key)["owner"].as_str().unwrap_or("nobody").to_owned();
            (key.to_owned(), owner)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_territory_is_assigned_and_a_dry_run_says_from_whom_to_whom() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let territory = |country: Option<&str>, codes: &[&str], dry_run| {
        office.ask(Request::Assign(Assign {
            to: Some("bo".into()),
            country: country.map(str::to_owned),
            postal_codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            dry_run,
            ..Assign::default()
        }))
    };
    let would = territory(Some("germany"), &["12", "99"], true);
    assert_eq!(would["moves"], serde_json::json!([{ "from": "anna", "to": "bo", "contacts": 1 }]));
    assert_eq!(territory(Some("Germany"), &["13"], true)["contacts"], serde_json::json!([]));
    assert_eq!(office.contact("ALFKI")["owner"], "anna", "nothing was moved");
    assert_eq!(territory(None, &["12209", "01-"], false)["changed"], 2);
    let owners: Vec<_> = reach(&office).into_iter().map(|(_, owner)| owner).collect();
    assert_eq!(owners, ["bo", "anna", "bo"]);
}

#[test]
fn a_list_is_assigned_whole_or_not_at_all() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let system =
        office.contact("ALFKI")["external_ids"].as_object().unwrap().keys().next().unwrap().clone();
    let id = office.contact("HANAR")["id"].as_str().unwrap().to_owned();
    let ask = |list: &str, dry_run| {
        let wanted = Assign { csv: Some("list.csv".into()), dry_run, ..Assign::default() };
        office.try_ask(Request::Assign(wanted), &[list], &mut Vec::new())
    };
    let good = format!("contact;owner;why\n{system}:ALFKI;Bo;near\n{id};;left\n");
    let wrong = format!(
        "contact,owner\n{system}:ALFKI,bo\n{system}:NOONE,bo\n{id},nobody-here\n{id},bo\n{id},bo\n"
    );
    let failure = ask(&wrong, false).unwrap_err().message;
    for part in ["line 3", "NOONE", "line 4", "nobody-here", "line 6", "line 5"] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    assert!(ask("a,b\n1,2\n", false).unwrap_err().message.contains("`contact`"));
    let moves = ask(&good, true).unwrap().data["moves"].clone();
    assert_eq!(moves.as_array().unwrap().len(), 2, "{moves}");
    assert_eq!(office.contact("ALFKI")["owner"], "anna");
    assert_eq!(ask(&good, false).unwrap().data["changed"], 2);
    assert_eq!(office.contact("ALFKI")["owner"], "bo");
    assert!(office.contact("HANAR")["owner"].is_null());
}

#[test]
fn a_command_in_somebodys_name_does_what_they_may() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    for (name, parent) in [("North", None), ("Coast", Some("North"))] {
        let parent = parent.map(str::to_owned);
        office.ask(Request::TeamSet { name: name.into(), parent });
    }
    let change = |login: &str, team: &str| {
        let (login, team) = (login.to_owned(), Some(team.to_owned()));
        office.ask(Request::UserChange(UserChange { login, team, ..UserChange::default() }))
    };
    change("bo", "Coast");
    for (login, role, team) in
        [("mina", "manager", Some("North")), ("head", "manager", None), ("eye", "read_only", None)]
    {
        let (role, team) = (role.to_owned(), team.map(str::to_owned));
        office.ask(Request::UserAdd { login: login.into(), role, name: String::new(), team });
    }
    let as_of = |by: &str, request: Request| {
        let call = Call { workspace: None, by: Some(by.to_owned()), request };
        execute(office.engine(), &context(), call, &[], &mut Vec::new())
    };
    let all_to = |to: &str| {
        Request::Assign(Assign {
            to: Some(to.into()),
            filter: Some("*".into()),
            ..Assign::default()
        })
    };
    // Anna is of no team: her contacts do not exist for the manager of North.
    let answer = as_of("mina", all_to("bo")).unwrap();
    assert_eq!((answer.data["changed"].as_u64(), answer.off), (Some(0), true));
    assert!(as_of("mina", all_to("anna")).unwrap_err().message.contains("anna"));
    for refused in [
        Request::Export { format: ExportFormat::Json, filter: None },
        Request::UserCode { login: "head".into() },
    ] {
        assert!(as_of("mina", refused).is_err());
    }
    assert!(as_of("eye", all_to("bo")).is_err());
    assert!(as_of("bo", Request::UserList).is_err(), "reps give no commands");
    let filter = AuditFilter::default();
    assert!(as_of("head", Request::AuditList { limit: 1, filter }).is_err());
    assert_eq!(as_of("head", all_to("bo")).unwrap().data["changed"], 3);
    // Now they are the team's, and anna's door stays shut for it.
    assert_eq!(as_of("mina", all_to("bo")).unwrap().data["unchanged"], 3);
}

#[test]
fn the_last_administrator_stays_and_teams_can_not_be_rings() {
    let office = Office::new();
    let keep_out = |login: &str| {
        let (login, disabled) = (login.to_owned(), Some(true));
        let request = Request::UserChange(UserChange { login, disabled, ..UserChange::default() });
        office.try_ask(request, &[], &mut Vec::new())
    };
    assert!(keep_out("admin").unwrap_err().message.contains("only administrator"));
    assert!(keep_out("anna").is_ok());
    let team = |name: &str, parent: &str| {
        let request = Request::TeamSet { name: name.into(), parent: Some(parent.into()) };
        office.try_ask(request, &[], &mut Vec::new())
    };
    office.ask(Request::TeamSet { name: "A".into(), parent: None });
    assert!(team("B", "A").is_ok());
    assert!(team("A", "b").is_err());
    assert!(team("C", "nowhere").is_err());
}

#[test]
fn the_audit_log_is_listed_verified_and_exported_and_holds_no_names() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    office.ask(Request::UserCode { login: "admin".into() });
    office.ask(Request::Invite { login: "anna".into() });
    let mut out = Vec::new();
    let request = Request::Export { format: ExportFormat::Json, filter: None };
    office.try_ask(request, &[], &mut out).unwrap();
    let list = |filter| {
        let listed = office.ask(Request::AuditList { limit: 100, filter });
        let entries = listed["entries"].as_array().unwrap().clone();
        entries.iter().map(|e| e["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = list(AuditFilter::default());
    for action in ["user.add", "user.code", "device.invite", "contacts.import", "contacts.export"] {
        assert!(all.iter().any(|told| told == action), "{action}: {all:?}");
    }
    let action = Some("user".to_owned());
    let users = list(AuditFilter { action, ..AuditFilter::default() });
    assert!(users.len() >= 3 && users.iter().all(|told| told.starts_with("user")), "{users:?}");
    let since = Some("2999-01-01".to_owned());
    assert!(list(AuditFilter { since, ..AuditFilter::default() }).is_empty());

    let verify = |known: Vec<String>| {
        let request = Request::AuditVerify { known, accept: false };
        office.try_ask(request, &[], &mut Vec::new())
    };
    let report = verify(vec![]).unwrap();
    assert!(!report.off, "{}", report.text);
    let noted = format!("{}:{}", report.data["n"], report.data["hash"].as_str().unwrap());
    office.ask(Request::UserCode { login: "admin".into() });
    assert!(!verify(vec![noted.clone()]).unwrap().off);
    let off_by_one = noted.replacen(':', "0:", 1);
    assert!(verify(vec![off_by_one]).unwrap().off);
    assert!(verify(vec!["x".into()]).is_err());

    for format in [AuditFormat::Json, AuditFormat::Csv] {
        let mut out = Vec::new();
        let filter = AuditFilter::default();
        office.try_ask(Request::AuditExport { format, filter }, &[], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > 5);
        for name in ["anna", "Blaue", "Maria"] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
    }
}
