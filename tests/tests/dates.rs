//! The dates of the server's certificate on devices whose clocks are wrong (rule 21): judged by the
//! server's time as the device knows it, never by the wall clock; a wrong clock locks nobody out
//! without a clear message and a way out, and a clock turned back makes no old certificate good.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Datelike, TimeDelta, Utc};
use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use roadbook_client_core::sync::{SyncOptions, SyncReport, enrol_with};
use roadbook_client_core::{Error, LeaseState, Receipt, Replica};
use roadbook_tests::devices;
use roadbook_tests::hands::Hands;
use roadbook_tests::process::ServerProcess;
use roadbook_tests::scene::Scene;

const YEARS: i64 = 20 * 365;

/// A server whose certificate an authority has signed, and ada with ten contacts.
struct Office {
    scene: Scene,
    server: ServerProcess,
    authority: Issuer<'static, KeyPair>,
    key: KeyPair,
    options: SyncOptions,
}

impl Office {
    /// Its certificate is good from and to so many days from now.
    fn open(seed: u64, days: (i64, i64)) -> Self {
        let mut scene = Scene::new();
        scene.reps(&["ada"]);
        scene.import(seed, 10, Some("ada"));
        let listen = scene.listen().to_owned();
        scene.stop();
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&authority_key).unwrap().der().to_vec();
        let options =
            SyncOptions { authorities: Some(Arc::new(vec![root])), ..SyncOptions::default() };
        let authority = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let [cert, key_file]: [PathBuf; 2] =
            ["cert.pem", "key.pem"].map(|name| scene.dir().join(name));
        certificate(&cert, &authority, &key, days);
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let (cert, key_file) = (cert.to_str().unwrap(), key_file.to_str().unwrap());
        let args = ["--listen", &listen, "--tls-cert", cert, "--tls-key", key_file];
        let server = ServerProcess::start_with(&scene.data(), &args, &[]);
        Self { scene, server, authority, key, options }
    }

    fn renew(&self, days: (i64, i64)) {
        certificate(&self.scene.dir().join("cert.pem"), &self.authority, &self.key, days);
        self.server.wait_for_error("certificate reloaded");
    }

    async fn ada(&self, hands: &Arc<Hands>) -> Replica {
        let replica = Replica::open(&self.scene.dir().join("phone"), hands.options()).unwrap();
        let code = self.server.admin(&["invite", "ada"]).last_line();
        let url = format!("https://localhost:{}", self.scene.listen().rsplit_once(':').unwrap().1);
        enrol_with(&replica, &url, &code, None, "phone", &self.options).await.unwrap();
        self.sync(&replica).await.unwrap();
        assert_eq!(replica.ids(None).unwrap().len(), 10);
        replica
    }

    async fn sync(&self, replica: &Replica) -> Result<SyncReport, Error> {
        devices::sync_with(replica, self.options.clone()).await
    }

    async fn refused(&self, replica: &Replica) -> String {
        match self.sync(replica).await {
            Err(Error::Untrusted { reason }) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn certificate(file: &Path, authority: &Issuer<'static, KeyPair>, key: &KeyPair, days: (i64, i64)) {
    let at = |days: i64| {
        let day = Utc::now() + TimeDelta::days(days);
        date_time_ymd(day.year(), day.month() as u8, day.day() as u8)
    };
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (at(days.0), at(days.1));
    std::fs::write(file, params.signed_by(key, authority).unwrap().pem()).unwrap();
}

fn assert_nothing_waits(replica: &Replica) {
    let outbox = replica.outbox(true).unwrap();
    assert!(outbox.iter().all(|entry| entry.receipt != Receipt::Saved), "{outbox:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_good_whatever_year_the_wall_clock_believes_it_is() {
    let office = Office::open(61, (-10, 20));
    let hands = Hands::new();
    let phone = office.ada(&hands).await;
    let id = phone.ids(None).unwrap()[0];
    for (n, days) in [YEARS, -2 * YEARS].into_iter().enumerate() {
        hands.turn(days);
        devices::visit(&phone, id, &format!("visit {n}"));
        office.sync(&phone).await.unwrap();
        assert_nothing_waits(&phone);
    }
    // Started anew in a year long past: what was known of the time is not forgotten.
    hands.reboot();
    hands.turn(-400);
    office.sync(&phone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_started_a_device_with_a_clock_in_the_future_gets_in_again_by_setting_it_right() {
    let office = Office::open(62, (-10, 20));
    let hands = Hands::new();
    let phone = office.ada(&hands).await;
    let id = phone.ids(None).unwrap()[0];
    hands.turn(YEARS);
    hands.reboot();
    // The device can't know better: twenty years may have passed while it was off.
    assert_eq!(phone.status().unwrap().lease.unwrap().state, LeaseState::Ended);
    devices::visit(&phone, id, "in another year");
    let told = office.refused(&phone).await;
    for part in ["expired on", "as far as this device knows it is", "clock right", "edits wait"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(phone.contact(id).is_err(), "reading is locked");
    // The way out. What was noted of the time meanwhile is wrong by twenty years.
    hands.turn(-YEARS);
    assert!(phone.contact(id).is_err(), "turning the clock opens nothing by itself");
    office.sync(&phone).await.unwrap();
    assert_nothing_waits(&phone);
    assert_eq!(phone.status().unwrap().lease.unwrap().state, LeaseState::Valid);
    assert_eq!(devices::summaries(&phone, id).get("in another year"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_not_made_good_by_any_clock_and_nothing_is_said_to_its_owner() {
    let office = Office::open(63, (-10, 20));
    let hands = Hands::new();
    let phone = office.ada(&hands).await;
    let id = phone.ids(None).unwrap()[0];
    office.renew((-40, -10));
    devices::visit(&phone, id, "not for everybody");
    // Right; in the future; on a day when the certificate was good; and that after a start.
    for (turn, reboot) in [(0, false), (YEARS, false), (-YEARS - 20, false), (0, true)] {
        hands.turn(turn);
        if reboot {
            hands.reboot();
        }
        let told = office.refused(&phone).await;
        let today = Utc::now().format("%Y-%m").to_string();
        assert!(told.contains("expired on") && told.contains(&today), "{told}");
        assert_eq!(phone.status().unwrap().unsent, 1, "the edit stayed here");
    }
    office.renew((-1, 20));
    office.sync(&phone).await.unwrap();
    assert_nothing_waits(&phone);
}
