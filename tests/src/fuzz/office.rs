//! Requests to the managers' pages, and the filter language.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use chrono::NaiveDate;
use roadbook_protocol::filter::{Filter, FilterContext, Office, SqlTarget, Standing};
use roadbook_protocol::ids::{ContactId, UserId};
use roadbook_protocol::projection::{Row, project};
use roadbook_server::admin::execute::{Context, execute};
use roadbook_server::admin::import::{ImportOptions, Kind};
use roadbook_server::admin::request::{Call, Request as Command};
use roadbook_server::engine::{Engine, EngineOptions};
use roadbook_server::office::{OfficeOptions, OfficeState, router};
use roadbook_server::store::{Durability, people, sessions};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::Script;
use crate::generate::Generator;

/// An engine in a directory that ends with the process, with a few contacts and an admin.
pub(super) fn open_engine() -> (Arc<Engine>, Vec<String>) {
    // Kept until the process ends, as the engine is.
    let dir = tempfile::tempdir().expect("a directory").keep();
    let options = EngineOptions { durability: Durability::Off, ..EngineOptions::default() };
    let engine = Engine::open(&dir, options).expect("a new engine");
    let import = ImportOptions {
        file: "contacts.csv".into(),
        kind: Kind::Contacts,
        key: Some("customer_no".into()),
        ..ImportOptions::default()
    };
    let csv = Generator::new(3).csv(12);
    let run = |request, files: &[Vec<u8>]| {
        let call = Call { workspace: None, by: None, request };
        execute(&engine, &Context::default(), call, files, &mut Vec::new())
            .expect("it is carried out")
    };
    run(Command::Import(import), &[csv.into_bytes()]);
    let hash = run(Command::StateHash { owner: None, ids: Vec::new(), each: true }, &[]);
    let each = hash.data["each"].as_array().expect("a list");
    let ids = each.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
    (engine, ids)
}

/// The token of the session that the requests are made in, and of its forms.
const COOKIE: &str = "fuzzfuzzfuzzfuzz";
const CSRF: &str = "tokentokentoken";

struct House {
    runtime: Runtime,
    router: Router,
    contacts: Vec<String>,
    engine: Arc<Engine>,
}

fn house() -> &'static Mutex<House> {
    static HOUSE: OnceLock<Mutex<House>> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let (engine, contacts) = open_engine();
        let workspace = engine.workspaces().expect("a workspace")[0].id;
        let now = engine.now_ms();
        engine
            .write(move |tx| {
                let user: UserId = people::list_users(tx, workspace)?[0].id;
                let week = 7 * 24 * 3_600_000;
                sessions::create(tx, workspace, user, COOKIE, CSRF, now, week)
            })
            .expect("a session");
        let options = OfficeOptions { secure: false, oidc: None, shutdown: Default::default() };
        let router = router(OfficeState::new(engine.clone(), options));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Mutex::new(House { runtime: runtime.expect("a runtime"), router, contacts, engine })
    })
}

const PATHS: [&str; 20] = [
    "/",
    "/contacts",
    "/contacts?q=",
    "/contacts?filter=",
    "/contacts/@",
    "/contacts/@/set",
    "/contacts/@/put",
    "/contacts/@/tag",
    "/contacts/@/untag",
    "/contacts/@/note",
    "/contacts/@/log",
    "/contacts/@/resolve",
    "/contacts/@/assign",
    "/decide",
    "/decide/quarantine.json",
    "/devices",
    "/events?",
    "/sign-in?next=",
    "/welcome/",
    "/assets/",
];

/// Any path, query, header and form, signed in or not: an answer below 500, and nothing panics.
pub fn office(data: &[u8]) {
    let mut script = Script(data);
    let (bits, known) = (script.byte(), script.byte() as usize);
    let house = house().lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(script.0);
    let mut lines = text.splitn(3, '\n');
    let (path, header_line) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let form = lines.next().unwrap_or("");
    let mut uri = format!("{}{path}", PATHS.get(known).unwrap_or(&""));
    let contact = &house.contacts[known % house.contacts.len()];
    uri = uri.replace('@', contact);
    let post = bits & 1 == 1;
    let signed_in = bits & 2 == 0;
    let body = match (post, signed_in) {
        (true, true) => format!("csrf={CSRF}&{form}"),
        _ => form.to_owned(),
    };
    let mut request = Request::builder().method(if post { "POST" } else { "GET" }).uri(&uri);
    request = request
        .header(header::HOST, "fuzz")
        .header(header::ORIGIN, if bits & 4 == 0 { "http://fuzz" } else { header_line })
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if signed_in {
        request = request.header(header::COOKIE, format!("roadbook={COOKIE}; {header_line}"));
    }
    if bits & 8 != 0 {
        request = request.header(header::ACCEPT, header_line).header("last-event-id", header_line);
    }
    let Ok(request) = request.body(Body::from(body)) else { return };
    let answer = house.runtime.block_on(async {
        let response = house.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        // A stream of events has no end.
        let stream = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if !stream {
            to_bytes(body, 16 << 20).await.expect("an answer of bounded size");
        }
        parts.status
    });
    let stays = answer == StatusCode::SERVICE_UNAVAILABLE;
    assert!(answer.as_u16() < 500 || stays, "{answer} to {uri}");
}

/// Any text as a filter: it is refused with a place inside the text, or both ways to judge it answer,
/// and on the rows of the base they agree.
pub fn filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let filter = match Filter::parse(&text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.position), "{error:?}");
            error.pointing_at(&text);
            return;
        }
    };
    let today = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a day");
    let ctx = FilterContext { today, now_ms: 1_772_323_200_000 };
    let _ = filter.to_sql(&ctx, SqlTarget::Device);
    let row = rows();
    let standings = [Standing { recency: 5, frequency: 2, monetary: 3, abc: 'B' }];
    let office =
        Office { owner: Some("ada"), standings: &standings, consents: &["email"], nps: Some(9) };
    for row in row {
        let _ = filter.eval(row, &office, &ctx);
    }
    // The database takes what the filter became, whatever it is.
    let house = house().lock().unwrap_or_else(PoisonError::into_inner);
    let call = Call {
        workspace: None,
        by: None,
        request: Command::Export {
            format: roadbook_server::admin::request::ExportFormat::Json,
            filter: Some(text.clone().into_owned()),
        },
    };
    let mut out = Vec::new();
    if let Err(failure) = execute(&house.engine, &Context::default(), call, &[], &mut out) {
        let kind = failure.kind;
        assert_ne!(kind, roadbook_server::admin::request::FailureKind::Internal, "{failure}");
    }
}

fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut generator = Generator::new(5);
        let by = UserId::from_bytes([9; 16]);
        (1..20)
            .map(|n| {
                let mut doc = roadbook_protocol::document::new_document();
                let actor = roadbook_protocol::ids::Actor::from_bytes([n; 16]);
                crate::hostile::honest(&mut doc, actor, by, &generator.contact().commands);
                project(ContactId::from_bytes([n; 16]), &doc)
            })
            .collect()
    })
}
