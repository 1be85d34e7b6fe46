//! What needs no server: errors with their way out, two handles, panics that come from below.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use roadbook_client_core::{Clock, OpenOptions, Replica, SystemClock};

use crate::border;
use crate::{Edit, Field, ListQuery, Roadbook, RoadbookError, Value};

fn open(home: &Path) -> Result<Arc<Roadbook>, RoadbookError> {
    border::install();
    Roadbook::open_with(home, OpenOptions::default(), None, Replica::open)
}

fn company(text: &str) -> Vec<Edit> {
    vec![Edit::Set { field: Field::Company, value: Some(Value::Text { text: text.into() }) }]
}

fn all() -> ListQuery {
    ListQuery { filter: None, sort: None, offset: 0, limit: 50 }
}

#[test]
fn a_device_that_is_not_enrolled_reads_nothing_and_refuses_edits_with_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let book = open(home.path()).unwrap();
    assert!(!book.status().unwrap().enrolled);
    assert!(book.list(all()).unwrap().rows.is_empty());
    let refused = book.create(company("Åse")).unwrap_err();
    assert!(matches!(&refused, RoadbookError::NotEnrolled { reason } if reason.contains("code")));
    assert!(matches!(book.start_sync(), Err(RoadbookError::NotEnrolled { .. })));
}

#[test]
fn an_error_names_the_field_the_reason_and_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let book = open(home.path()).unwrap();
    let query = ListQuery { filter: Some("staus:customer".into()), ..all() };
    let error = book.list(query).unwrap_err();
    let RoadbookError::Invalid { field, reason, .. } = error else { panic!("{error:?}") };
    assert_eq!(field, "filter");
    assert!(reason.contains("staus"), "{reason}");
    let error = book.contact("no id".into()).unwrap_err();
    assert!(matches!(&error, RoadbookError::Invalid { field, .. } if field == "id"), "{error:?}");
    let unknown = "01010101-0101-4101-8101-010101010101".to_owned();
    assert!(matches!(book.contact(unknown), Err(RoadbookError::NotFound { .. })));
    let error = open(Path::new("")).err().unwrap();
    assert!(matches!(&error, RoadbookError::Invalid { field, .. } if field == "home"), "{error:?}");
}

#[test]
fn a_second_handle_on_one_directory_is_refused_with_the_holder_until_the_first_is_closed() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path()).unwrap();
    let refused = open(home.path()).err().unwrap();
    let RoadbookError::Locked { holder, .. } = &refused else { panic!("{refused:?}") };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    first.suspend().unwrap();
    let second = open(home.path()).unwrap();
    assert!(matches!(first.resume(), Err(RoadbookError::Locked { .. })));
    assert_eq!(first.status(), Err(RoadbookError::Suspended));
    drop(second);
    first.resume().unwrap();
    first.close();
    first.close();
    assert_eq!(first.resume(), Err(RoadbookError::Closed));
    open(home.path()).unwrap();
}

/// A clock that panics on demand: in the midst of a call, with the writer's lock held.
struct Broken(AtomicBool);

impl Clock for Broken {
    fn now_ms(&self) -> i64 {
        assert!(!self.0.load(Ordering::SeqCst), "the clock broke");
        SystemClock.now_ms()
    }
    fn today(&self) -> chrono::NaiveDate {
        SystemClock.today()
    }
}

#[test]
fn after_a_panic_inside_the_replica_is_as_usable_as_before() {
    border::install();
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(Broken(AtomicBool::new(false)));
    let options = OpenOptions { clock: clock.clone(), ..OpenOptions::default() };
    let book = Roadbook::open_with(home.path(), options, None, Replica::open).unwrap();
    for _ in 0..3 {
        clock.0.store(true, Ordering::SeqCst);
        let error = book.create(company("Åse")).unwrap_err();
        let RoadbookError::Panic { report } = &error else { panic!("{error:?}") };
        for part in ["`create`", "the clock broke", "tests.rs"] {
            assert!(report.contains(part), "{part} is missing: {report}");
        }
        clock.0.store(false, Ordering::SeqCst);
        assert!(matches!(book.create(company("Åse")), Err(RoadbookError::NotEnrolled { .. })));
        book.suspend().unwrap();
        book.resume().unwrap();
    }
    assert_eq!(book.list(all()).unwrap().total, 0);
}
