//! Commands over a real engine, as the program gives them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::control::{self, Control};
use super::execute::{Context, execute};
use super::import::{Duplicates, ImportOptions, Kind, Update};
use super::request::{Answer, Assign, Call, ExportFormat, Failure, FailureKind, Request};
use crate::engine::{Engine, EngineOptions};
use crate::store::Durability;

mod rights;

const CUSTOMERS: &str = "\
customerID,companyName,contactName,contactTitle,address,city,region,postalCode,country,phone,fax
ALFKI,Blaue Lampe,Maria Anders,Sales Representative,Obere Str. 57,Berlin,NULL,12209,Germany,030-0074321,030-0076545
HANAR,Carnes do Rio,Mario Pontes,Accounting Manager,Rua do Paço, 67,Rio de Janeiro,RJ,05454-876,Brazil,(21) 555-0091,NULL
WOLZA,Zajazd,Zbyszek Łoś,Owner,ul. Filtrowa 68,Warszawa,NULL,01-012,Poland,(26) 642-7012,(26) 642-7012
";
const ORDERS: &str = "\
orderID,customerID,employeeID,orderDate,shipAddress,shipCity
1,ALFKI,5,1996-07-04 00:00:00.000,Rua do Paço, 67,Rio
2,HANAR,6,1996-07-05 00:00:00.000,Luisenstr. 48,Bonn
3,NOONE,6,1996-07-06 00:00:00.000,Luisenstr. 48,Bonn
";
const LINES: &str = "\
orderID,productID,unitPrice,quantity,discount
1,11,14.00,12,0
1,42,9.80,10,0.05
1,72,0.05,1,0.5
2,72,34.825,1,0
3,1,1,1,0
9,1,1,1,0
";

struct Office {
    dir: tempfile::TempDir,
    engine: Option<Arc<Engine>>,
}

impl Office {
    /// An office with the reps anna and bo.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Some(open(dir.path()));
        let office = Self { dir, engine };
        for login in ["anna", "bo"] {
            office.ask(Request::UserAdd {
                login: login.into(),
                role: "rep".into(),
                name: String::new(),
                team: None,
            });
        }
        office
    }

    fn engine(&self) -> &Arc<Engine> {
        self.engine.as_ref().unwrap()
    }

    fn try_ask(
        &self,
        request: Request,
        files: &[&str],
        output: &mut Vec<u8>,
    ) -> Result<Answer, Failure> {
        let files: Vec<Vec<u8>> = files.iter().map(|file| file.as_bytes().to_vec()).collect();
        execute(self.engine(), &context(), call(request), &files, output)
    }

    fn ask(&self, request: Request) -> Value {
        self.try_ask(request, &[], &mut Vec::new()).unwrap().data
    }

    fn import(&self, options: &ImportOptions, files: &[&str]) -> Value {
        self.try_ask(Request::Import(options.clone()), files, &mut Vec::new()).unwrap().data
    }

    fn contacts(&self) -> Vec<Value> {
        let mut output = Vec::new();
        self.try_ask(
            Request::Export { format: ExportFormat::Json, filter: None },
            &[],
            &mut output,
        )
        .unwrap();
        let exported: Value = serde_json::from_slice(&output).unwrap();
        exported["contacts"].as_array().unwrap().clone()
    }

    fn contact(&self, external: &str) -> Value {
        self.contacts()
            .into_iter()
            .find(|c| c["external_ids"].as_object().unwrap().values().any(|v| v == external))
            .unwrap()
    }

    fn hash(&self) -> String {
        self.ask(Request::StateHash { owner: None, ids: vec![], each: false })["hash"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.shutdown();
        }
    }
}

fn open(dir: &Path) -> Arc<Engine> {
    Engine::open(dir, EngineOptions { durability: Durability::Off, ..EngineOptions::default() })
        .unwrap()
}

fn context() -> Context {
    Context {
        url: Some("https://office.example".into()),
        fingerprint: Some("ab:cd".into()),
        code_ms: 600_000,
    }
}

fn call(request: Request) -> Call {
    Call { workspace: None, by: None, request }
}

fn for_anna() -> ImportOptions {
    ImportOptions {
        file: "customers.csv".into(),
        owner: Some("anna".into()),
        ..ImportOptions::default()
    }
}

fn purchases() -> ImportOptions {
    ImportOptions {
        file: "lines.csv".into(),
        orders: Some("orders.csv".into()),
        kind: Kind::Purchases,
        key: Some("customerID".into()),
        currency: Some("USD".into()),
        ..ImportOptions::default()
    }
}

fn counts(report: &Value) -> [u64; 5] {
    let of = |name: &str| report[name].as_u64().unwrap();
    let listed = |name: &str| report[name]["count"].as_u64().unwrap();
    [of("created"), of("updated"), of("unchanged"), listed("duplicate"), listed("refused")]
}

#[test]
fn customers_are_imported_once_and_again_changes_nothing() {
    let office = Office::new();
    let dry = office.import(&ImportOptions { dry_run: true, ..for_anna() }, &[CUSTOMERS]);
    assert_eq!(counts(&dry), [3, 0, 0, 0, 0]);
    assert!(office.contacts().is_empty());

    let report = office.import(&for_anna(), &[CUSTOMERS]);
    assert_eq!(counts(&report), [3, 0, 0, 0, 0]);
    assert_eq!(report["key"]["system"], "customerID");
    assert_eq!(report["warnings"]["rows"][0]["line"], 3);
    assert_eq!(report["unmapped"].as_array().unwrap().len(), 0);
    let before = office.hash();
    assert_eq!(counts(&office.import(&for_anna(), &[CUSTOMERS])), [0, 0, 3, 0, 0]);
    assert_eq!(office.hash(), before);

    let contact = office.contact("HANAR");
    assert_eq!(contact["owner"], "anna");
    assert_eq!(contact["given_name"], "Mario");
    assert_eq!(contact["family_name"], "Pontes");
    assert_eq!(contact["job_title"], "Accounting Manager");
    assert_eq!(contact["addresses"][0]["street"], "Rua do Paço, 67");
    assert_eq!(contact["addresses"][0]["region"], "RJ");
    assert_eq!(contact["phones"][0]["number"], "(21) 555-0091");
    assert_eq!(contact.get("fax"), None);
    assert!(office.engine().check().unwrap().is_clean());
}

#[test]
fn a_changed_row_updates_its_contact_and_takes_nothing_away() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let changed = "customerID,contactTitle,city,phone,Tags,Notes\n\
                   ALFKI,Director,Potsdam,+49 30 0074321,vip;north,met in Rome\nHANAR,,,,,\n";
    let fill = ImportOptions {
        update: Update::Fill,
        map: vec![("city".into(), "skip".into())],
        ..for_anna()
    };
    // A file without names: told what is what, it is taken by its key.
    assert_eq!(counts(&office.import(&fill, &[changed])), [0, 1, 1, 0, 0]);
    let contact = office.contact("ALFKI");
    assert_eq!(contact["job_title"], "Sales Representative");
    assert_eq!(contact["tags"], serde_json::json!(["north", "vip"]));
    assert_eq!(counts(&office.import(&for_anna(), &[changed])), [0, 1, 1, 0, 0]);
    let contact = office.contact("ALFKI");
    assert_eq!(contact["job_title"], "Director");
    assert_eq!(contact["addresses"][0]["city"], "Potsdam");
    assert_eq!(contact["addresses"][0]["street"], "Obere Str. 57");
    assert_eq!(contact["addresses"].as_array().unwrap().len(), 1);
    assert_eq!(contact["note"], "met in Rome");
    // The same number in another spelling is not a second phone.
    assert_eq!(contact["phones"].as_array().unwrap().len(), 1);
    let more = "customerID,phone,note\nALFKI,030 999999,call before noon\n";
    office.import(&for_anna(), &[more]);
    let contact = office.contact("ALFKI");
    assert_eq!(contact["phones"].as_array().unwrap().len(), 2);
    assert_eq!(contact["note"], "met in Rome\ncall before noon");
    assert_eq!(counts(&office.import(&for_anna(), &[changed])), [0, 0, 2, 0, 0]);
}

#[test]
fn without_a_key_rows_are_known_by_name_and_reach() {
    let office = Office::new();
    let cards = "Vorname;Nachname;Firma;Telefon;E-Mail\nJürgen;Groß;Lampe;030 901820;j@gross.example\n;;Nur Firma;;\n";
    let report = office.import(&for_anna(), &[cards]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 0]);
    assert_eq!(report["key"]["kind"], "hash");
    assert_eq!(counts(&office.import(&for_anna(), &[cards])), [0, 0, 2, 0, 0]);
}

#[test]
fn duplicates_are_listed_linked_or_created_as_wished() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let same = "Kundennummer,name,phone,country\n1,Maria Anders,+49 30 007 43 21,DE\n2,Somebody Else,030-0074321,Germany\n1,Twice There,,\n";
    let report = office.import(&ImportOptions { dry_run: true, ..for_anna() }, &[same]);
    assert_eq!(counts(&report), [2, 0, 0, 1, 0]);
    assert!(report["duplicate"]["rows"][0]["reason"].as_str().unwrap().contains("same phone"));
    let link = ImportOptions { duplicates: Duplicates::Link, ..for_anna() };
    let report = office.import(&link, &[same]);
    assert_eq!(counts(&report), [1, 1, 0, 1, 0]);
    assert!(report["duplicate"]["rows"][0]["reason"].as_str().unwrap().contains("line 2"));
    assert_eq!(office.contact("ALFKI")["external_ids"]["Kundennummer"], "1");
    assert_eq!(office.contacts().len(), 4);
}

#[test]
fn a_row_that_can_not_be_taken_is_listed_and_the_rest_is_taken() {
    let office = Office::new();
    let rows = "id,name,email,birthday,status\n\
                1,Ada One,not an address,,\n2,Bob Two,bob@two.example,3/4/1980,\n3,,,,\n4,Cy Four,,1980-02-30,\n\
                5,Di Five,,31.12.1980,vip\n6,Ed Six,ed@six.example,31.12.1980,Customer\nx,y,z,z,z,z\n";
    let report = office.import(&for_anna(), &[rows]);
    assert_eq!(counts(&report), [1, 0, 0, 0, 6]);
    let lines: Vec<_> = report["refused"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [8, 2, 3, 4, 5, 6]);
    let reasons = report["refused"].to_string();
    for part in ["email", "--date-format", "no name", "birthday", "status"] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
    let contact = office.contact("6");
    assert_eq!(
        (contact["birthday"].as_str(), contact["status"].as_str()),
        (Some("1980-12-31"), Some("customer"))
    );
}

#[test]
fn orders_and_their_lines_become_purchases_with_exact_amounts() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let dry = office.import(&ImportOptions { dry_run: true, ..purchases() }, &[LINES, ORDERS]);
    let report = office.import(&purchases(), &[LINES, ORDERS]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 2]);
    assert_eq!(counts(&dry), counts(&report));
    // 168 + 93.1 + 0.025 = 261.125, half to even; 34.825 likewise.
    let purchase = office.contact("ALFKI")["purchases"][0].clone();
    assert_eq!(purchase["amount"], 26112);
    assert_eq!(
        (purchase["currency"].as_str(), purchase["date"].as_str()),
        (Some("USD"), Some("1996-07-04"))
    );
    assert_eq!(purchase["external_id"], "1");
    assert_eq!(office.contact("HANAR")["purchases"][0]["amount"], 3482);
    assert_eq!(report["money"]["totals"]["USD"], 26112 + 3482);
    assert!(report["money"]["rounding"].as_str().unwrap().contains("half to even"));
    let reasons = report["refused"].to_string();
    assert!(reasons.contains("NOONE") && reasons.contains("order `9`"), "{reasons}");

    let before = office.hash();
    assert_eq!(counts(&office.import(&purchases(), &[LINES, ORDERS])), [0, 0, 2, 0, 2]);
    assert_eq!(office.hash(), before);
    let dearer = LINES.replace("2,72,34.825,1,0", "2,72,35.00,1,0");
    assert_eq!(counts(&office.import(&purchases(), &[&dearer, ORDERS])), [0, 1, 1, 0, 2]);
    let purchases = office.contact("HANAR")["purchases"].clone();
    assert_eq!(
        (purchases.as_array().unwrap().len(), purchases[0]["amount"].as_i64()),
        (1, Some(3500))
    );
    assert!(office.engine().check().unwrap().is_clean());
}

#[test]
fn an_order_with_a_line_that_can_not_be_read_is_left_out_as_a_whole() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let lines = "orderID,unitPrice,quantity,discount\n1,14.00,12,0\n1,9.80,ten,0\n2,1.5,1,2\n";
    let report = office.import(&purchases(), &[lines, ORDERS]);
    assert_eq!(counts(&report)[0], 0);
    let reasons = report["refused"].to_string();
    assert!(reasons.contains("left out as a whole") && reasons.contains("discount"), "{reasons}");
    // A line with too many cells belongs to an order too.
    let torn = "orderID,unitPrice,quantity,discount\n1,14.00,12,0\n1,9,80,10,0\n";
    let report = office.import(&purchases(), &[torn, ORDERS]);
    assert_eq!(counts(&report)[0], 0);
    assert!(office.contact("ALFKI")["purchases"].as_array().unwrap().is_empty());
}

#[test]
fn purchases_with_an_amount_in_each_row_are_read() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let flat = "Kundennummer;Bestellnummer;Datum;Betrag;Währung;Artikel\n\
                ALFKI;A-1;31.12.2024;1.234,50;EUR;Lampe\nALFKI;A-2;01.02.2025;1.000;EUR;\nHANAR;A-1;01.02.2025;7,5;JPY;\n";
    let options = ImportOptions {
        orders: None,
        key: Some("Kundennummer".into()),
        system: Some("customerID".into()),
        currency: None,
        ..purchases()
    };
    let report = office.import(&options, &[flat]);
    assert_eq!(counts(&report), [3, 0, 0, 0, 0]);
    assert_eq!(report["money"]["totals"], serde_json::json!({ "EUR": 223_450, "JPY": 8 }));
    let missing = flat.replace("Währung", "X");
    let failure =
        office.try_ask(Request::Import(options.clone()), &[&missing], &mut Vec::new()).unwrap_err();
    assert!(failure.message.contains("--currency"), "{failure}");
}

#[test]
fn contacts_are_assigned_by_id_and_by_filter() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let id = office.contact("ALFKI")["id"].as_str().unwrap().to_owned();
    let assign = |ids: Vec<String>, filter: Option<&str>, dry_run| {
        office.ask(Request::Assign(Assign {
            to: Some("bo".into()),
            ids,
            filter: filter.map(str::to_owned),
            dry_run,
            ..Assign::default()
        }))
    };
    assert_eq!(assign(vec![id.clone()], None, true)["contacts"].as_array().unwrap().len(), 1);
    assert_eq!(office.contact("ALFKI")["owner"], "anna");
    assert_eq!(assign(vec![id], None, false)["changed"], 1);
    assert_eq!(office.contact("ALFKI")["owner"], "bo");
    let rest = assign(vec![], Some("*"), false);
    assert_eq!((rest["changed"].as_u64(), rest["unchanged"].as_u64()), (Some(2), Some(1)));
    let unknown = Request::Assign(Assign {
        to: Some("bob".into()),
        filter: Some("*".into()),
        ..Assign::default()
    });
    let failure = office.try_ask(unknown, &[], &mut Vec::new()).unwrap_err();
    assert!(failure.message.contains("did you mean `bo`"), "{failure}");
}

#[test]
fn what_is_exported_as_csv_is_understood_by_import() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let mut csv = Vec::new();
    office
        .try_ask(
            Request::Export { format: ExportFormat::Csv, filter: Some("country:Poland".into()) },
            &[],
            &mut csv,
        )
        .unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("Zbyszek") && csv.contains("external_ids.customerID"));
    // Edited in a spreadsheet and brought back, it is the same contact.
    assert_eq!(counts(&office.import(&for_anna(), &[&csv])), [0, 0, 1, 0, 0]);
    let edited = csv.replace("Zajazd", "Zajazd Nowy");
    assert_eq!(counts(&office.import(&for_anna(), &[&edited])), [0, 1, 0, 0, 0]);
    assert_eq!(office.contact("WOLZA")["company"], "Zajazd Nowy");
    assert_eq!(office.contact("WOLZA")["external_ids"].as_object().unwrap().len(), 1);
    let other = Office::new();
    let options = ImportOptions {
        key: Some("external_ids.customerID".into()),
        system: Some("customerID".into()),
        ..for_anna()
    };
    assert_eq!(counts(&other.import(&options, &[&csv])), [1, 0, 0, 0, 0]);
    assert_eq!(other.contact("WOLZA")["company"], "Zajazd");
}

#[test]
fn codes_people_and_devices_have_the_shapes_that_other_tools_read() {
    let office = Office::new();
    let answer =
        office.try_ask(Request::Invite { login: "anna".into() }, &[], &mut Vec::new()).unwrap();
    let code = answer.data["code"].as_str().unwrap();
    assert_eq!(answer.text, format!("{code}\n"));
    assert!(answer.data["expires_at"].is_i64());
    assert!(answer.data["link"].as_str().unwrap().contains(code), "{}", answer.data["link"]);
    assert_eq!(answer.data.as_object().unwrap().len(), 3);
    let notes = answer.notes.join("\n");
    assert!(
        notes.contains("roadbook enroll https://office.example")
            && notes.contains("--fingerprint ab:cd"),
        "{notes}"
    );

    let chief = Request::UserAdd {
        login: "chief".into(),
        role: "manager".into(),
        name: "The Chief".into(),
        team: None,
    };
    let chief = office.ask(chief);
    assert!(chief["url"].as_str().unwrap().starts_with("https://office.example/welcome/"));
    let users = office.ask(Request::UserList);
    let logins: Vec<_> =
        users["users"].as_array().unwrap().iter().map(|u| u["login"].as_str().unwrap()).collect();
    assert_eq!(logins, ["admin", "anna", "bo", "chief"]);
    assert_eq!(
        office.ask(Request::DeviceList { user: None }),
        serde_json::json!({ "devices": [] })
    );
    let audit = office.ask(Request::AuditList { limit: 10, filter: Default::default() });
    assert!(audit["entries"].as_array().unwrap().iter().any(|e| e["action"] == "user.add"));

    let failure =
        office.try_ask(Request::Invite { login: "ana".into() }, &[], &mut Vec::new()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("did you mean `anna`"), "{failure}");
    let twice = Request::UserAdd {
        login: "ANNA".into(),
        role: "rep".into(),
        name: String::new(),
        team: None,
    };
    assert_eq!(office.try_ask(twice, &[], &mut Vec::new()).unwrap_err().kind, FailureKind::Refused);
    // The admin that came with the workspace may be claimed once, as long as nobody is it.
    let admin = Request::UserAdd {
        login: "admin".into(),
        role: "admin".into(),
        name: "Ines".into(),
        team: None,
    };
    assert_eq!(office.ask(admin.clone())["name"], "Ines");
    assert!(office.try_ask(admin, &[], &mut Vec::new()).is_err());
}

#[test]
fn several_workspaces_are_told_apart_by_name_or_id() {
    let office = Office::new();
    let second = office.ask(Request::WorkspaceAdd { name: "Second".into() });
    let failure = office.try_ask(Request::UserList, &[], &mut Vec::new()).unwrap_err();
    assert!(
        failure.message.contains("--workspace") && failure.message.contains("Second"),
        "{failure}"
    );
    for name in ["Second", second["id"].as_str().unwrap()] {
        let call = Call { workspace: Some(name.into()), by: None, request: Request::UserList };
        let users = execute(office.engine(), &context(), call, &[], &mut Vec::new()).unwrap().data;
        assert_eq!(users["users"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_backup_is_a_new_file_that_opens() {
    let office = Office::new();
    office.import(&for_anna(), &[CUSTOMERS]);
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join(crate::store::DATABASE_FILE);
    let answer = office.ask(Request::Backup { file: file.clone() });
    assert!(answer["bytes"].as_u64().unwrap() > 0);
    let again = office.try_ask(Request::Backup { file }, &[], &mut Vec::new()).unwrap_err();
    assert!(again.message.contains("exists already"), "{again}");
    // The keys are kept elsewhere, on purpose: without them it says which is missing.
    let without = Engine::open(other.path(), EngineOptions::default()).map(drop).unwrap_err();
    assert!(matches!(without, crate::store::EngineError::KeyMissing { .. }), "{without}");
    let (from, to) = (office.dir.path().join("keys"), other.path().join("keys"));
    std::fs::create_dir_all(&to).unwrap();
    for key in std::fs::read_dir(from).unwrap() {
        let key = key.unwrap();
        std::fs::copy(key.path(), to.join(key.file_name())).unwrap();
    }
    let restored = Office { engine: Some(open(other.path())), dir: other };
    assert_eq!(restored.hash(), office.hash());
    assert_eq!(restored.ask(Request::Check)["clean"], true);
    assert!(restored.dir.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_gives_the_same_result_through_the_socket() {
    let office = Office::new();
    let engine = Arc::clone(office.engine());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let handler: Arc<control::Handler> =
        Arc::new(move |call, files, output| execute(&engine, &context(), call, &files, output));
    let server =
        tokio::spawn(Control::bind(office.dir.path()).unwrap().serve(handler, shutdown.clone()));
    let dir = office.dir.path().to_owned();
    let (report, exported) = tokio::task::spawn_blocking(move || {
        let import = call(Request::Import(for_anna()));
        let report =
            control::call(&dir, &import, &[CUSTOMERS.into()], &mut Vec::new()).unwrap().unwrap();
        let mut exported = Vec::new();
        let export = call(Request::Export { format: ExportFormat::Json, filter: None });
        control::call(&dir, &export, &[], &mut exported).unwrap().unwrap();
        (report.data, exported)
    })
    .await
    .unwrap();
    assert_eq!(counts(&report), [3, 0, 0, 0, 0]);
    let exported: Value = serde_json::from_slice(&exported).unwrap();
    assert_eq!(exported["contacts"].as_array().unwrap().len(), 3);
    shutdown.cancel();
    server.await.unwrap().unwrap();
}
