//! The bindings' object against a real server: what an app does on its first day.
#![allow(clippy::unwrap_used)]

use roadbook_ffi::{Assignment, Roadbook};
use roadbook_tests::process::ServerProcess;

fn set(field: &str, value: &str) -> Assignment {
    Assignment { field: field.into(), value: value.into() }
}

#[test]
fn an_app_enrols_edits_searches_and_syncs_through_the_bindings() {
    let dir = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&dir.path().join("server"));
    server.admin(&["user", "add", "rep", "--role", "rep"]).ok();
    let device = |name: &str| {
        let home = dir.path().join(name);
        let book = Roadbook::open(home.to_str().unwrap().into()).unwrap();
        let code = server.admin(&["invite", "rep"]).last_line();
        book.enrol(server.url.clone(), code, None, name.into()).unwrap();
        book
    };
    let phone = device("phone");
    let id = phone.add(vec![set("name", "Åse Østergård"), set("city", "Århus")]).unwrap();
    let found = phone.search("ostergard".into(), 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].city.as_str()), (id.as_str(), "Århus"));
    assert!(phone.set(id.clone(), vec![set("company", "Østergård Handel")]).unwrap());
    assert!(!phone.set(id, vec![set("company", "Østergård Handel")]).unwrap(), "it was so already");
    assert_eq!(phone.status().unwrap().unsent, 2);

    phone.sync_once(60).unwrap();
    assert_eq!(phone.status().unwrap().unsent, 0);
    let tablet = device("tablet");
    tablet.sync_once(60).unwrap();
    assert_eq!(tablet.list(None, 10, 0).unwrap()[0].company, "Østergård Handel");
    phone.close();
    tablet.close();
}
