//! Clocks that are wrong by years (P12): order, merge, receipts and sync don't depend on them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate};
use roadbook_client_core::{Clock, OpenOptions, SystemClock, Uptime};
use roadbook_tests::devices;
use roadbook_tests::scene::Scene;

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// A clock that is wrong by this many milliseconds, and may be set.
struct Wrong(AtomicI64);

impl Clock for Wrong {
    fn now_ms(&self) -> i64 {
        chrono::Utc::now().timestamp_millis() + self.0.load(Ordering::SeqCst)
    }
    fn today(&self) -> NaiveDate {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap().date_naive()
    }
    fn since_boot(&self) -> Option<Uptime> {
        SystemClock.since_boot()
    }
}

fn wrong(years: i64) -> (Arc<Wrong>, OpenOptions) {
    let clock = Arc::new(Wrong(AtomicI64::new(years * YEAR_MS)));
    (clock.clone(), OpenOptions { clock, ..OpenOptions::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_whose_clocks_are_wrong_by_twenty_years_merge_like_all_others() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(41, 10, Some("ada"));
    let (_, past) = wrong(-20);
    let (jumping, future) = wrong(20);
    let past = scene.replica_with("past", "ada", &scene.url(), past).await;
    let future = scene.replica_with("future", "ada", &scene.url(), future).await;
    let right = scene.replica("right", "ada").await;
    let all = [&past, &future, &right];
    for replica in all {
        devices::sync(replica).await.unwrap();
    }
    let ids = right.ids(None).unwrap();
    assert_eq!(ids.len(), 10);

    // One after the other, each knowing the edit before: the last one wins, whatever its clock says.
    for (n, replica) in [&future, &right, &past].into_iter().enumerate() {
        devices::set(replica, ids[0], "job_title", &format!("title {n}"));
        devices::sync(replica).await.unwrap();
        for other in all {
            devices::sync(other).await.unwrap();
            assert_eq!(other.contact(ids[0]).unwrap().text("job_title"), format!("title {n}"));
        }
    }
    assert!(right.conflicts(None).unwrap().is_empty(), "nothing was concurrent");

    // All at once, with no network: a conflict of three sides, the same everywhere.
    for (n, replica) in all.into_iter().enumerate() {
        devices::set(replica, ids[1], "job_title", &format!("side {n}"));
        devices::visit(replica, ids[2], &format!("visit {n}"));
    }
    // In the middle of it a clock is set, back by forty years.
    jumping.0.store(-20 * YEAR_MS, Ordering::SeqCst);
    devices::visit(&future, ids[2], "visit after the jump");
    let new = future.create(&[roadbook_protocol::document::Command::Set {
        field: "company".into(),
        value: Some("Made in another year".into()),
    }]);
    let new = new.unwrap().contact_id;
    for _ in 0..2 {
        for replica in all {
            devices::sync(replica).await.unwrap();
        }
    }
    let server = scene.state_hash("ada");
    let shown = right.contact(ids[1]).unwrap().text("job_title").to_owned();
    for replica in all {
        devices::assert_all_merged(replica);
        assert_eq!(devices::state_hash(replica), server);
        let conflicts = replica.conflicts(None).unwrap();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert_eq!((conflicts[0].contact_id, conflicts[0].values.len()), (ids[1], 3));
        assert_eq!(
            replica.contact(ids[1]).unwrap().text("job_title"),
            shown,
            "one winner everywhere"
        );
        assert_eq!(devices::summaries(replica, ids[2]).len(), 4);
        assert_eq!(replica.contact(new).unwrap().display_name, "Made in another year");
    }
    // What a device claims as the time is kept as its claim.
    let claimed = |n: usize| {
        let interactions = right.contact(ids[2]).unwrap().interactions;
        let text = format!("visit {n}");
        interactions.iter().find(|i| i.text("summary") == text).and_then(|i| i.int("at")).unwrap()
    };
    assert!(claimed(1) - claimed(2) > 19 * YEAR_MS && claimed(2) - claimed(0) > 19 * YEAR_MS);
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_and_a_restart_work_whatever_year_the_device_believes_it_is() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(42, 30, Some("ada"));
    for (name, years) in [("past", -20), ("future", 20)] {
        let (clock, options) = wrong(years);
        let replica = scene.replica_with(name, "ada", &scene.url(), options).await;
        devices::sync(&replica).await.unwrap();
        let id = replica.ids(None).unwrap()[0];
        devices::visit(&replica, id, &format!("before the restart, {name}"));
        scene.stop();
        scene.start();
        clock.0.store(-years * YEAR_MS, Ordering::SeqCst);
        devices::visit(&replica, id, &format!("after the restart, {name}"));
        devices::sync(&replica).await.unwrap();
        devices::assert_all_merged(&replica);
        assert_eq!(devices::state_hash(&replica), scene.state_hash("ada"));
    }
    scene.assert_clean();
}
