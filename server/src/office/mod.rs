//! Sign-in and the managers' pages: server-rendered, live, with nothing loaded from elsewhere.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sign_in`], `session`, `password`, `limit` | who somebody is, and that a form is theirs |
//! | [`oidc`] | the company's own identity provider, if there is one |
//! | `totp`, `vault`, `ticket` | the second factor: its codes, what seals its secret, the step between |
//! | `settings` | the way to all that an office sets up |
//! | `account` | one's own password, second factor and sessions |
//! | `audit` | the audit log: filters, verification, export |
//! | `today` | figures, the feed from the field, freshness |
//! | `contacts`, `contacts_find` | the list: search, filter, orders, windows that follow one another |
//! | `columns`, `views` | which columns it has; lists that were saved under a name |
//! | `bulk` | one thing done to many contacts: preview, progress, undo |
//! | `contact`, `contact_view`, `timeline`, `contact_edit`, `fields` | one contact, and its edits |
//! | `lists` | segments handed to people as lists on their devices |
//! | `segments`, `segments_view` | who is meant by a filter: ready-made, saved, built; export and assigning |
//! | `funnel`, `funnel_view` | deals by stage, moving them, conversion and dwell |
//! | `activity` | what people did, and whom they neglect |
//! | `who` | whose figures are shown |
//! | `value`, `value_view` | what customers bring: RFM, ABC, seasons, answers, silence |
//! | `charts` | charts as SVG |
//! | `words` | every text that a person reads, in five languages |
//! | `proposals` | late edits, field by field |
//! | `decide`, `versus` | conflicts side by side, quarantined changes |
//! | `erasures`, `retention` | who has confirmed an erasure; rules, whom they reach, confirming the list |
//! | `alerts`, `review` | what managers are told of; what is held back after a restore |
//! | `devices` | people, their devices, how fresh they are |
//! | `events`, `feed` | the event stream, and how a change is told in a line |
//! | `layout`, `assets`, `error`, `url` | the frame, the style sheet and script, errors in the same look |
//!
//! Lists read the projection table only; a document is opened for one contact's own page and for
//! conflicts that are shown. Every query is limited to the viewer's workspace. Every edit is a
//! change in the viewer's name ([`Engine::author`]). No contact data goes into a log.

// First: its macros are used in all the others.
#[macro_use]
mod words;

mod account;
mod activity;
mod alerts;
mod assets;
mod audit;
mod bulk;
mod charts;
mod columns;
mod contact;
mod contact_edit;
mod contact_view;
mod contacts;
mod contacts_find;
mod decide;
mod devices;
mod erasures;
mod error;
mod events;
mod feed;
mod fields;
mod funnel;
mod funnel_view;
mod layout;
mod limit;
mod lists;
pub mod oidc;
mod password;
mod proposals;
mod retention;
mod review;
mod segments;
mod segments_view;
mod session;
mod settings;
pub mod sign_in;
#[cfg(test)]
mod tests;
mod ticket;
mod timeline;
mod today;
mod totp;
mod url;
mod value;
mod value_view;
mod vault;
mod versus;
mod views;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use roadbook_protocol::ids::{ContactId, UnixMs};
use rusqlite::{Connection, Transaction};
use tokio_util::sync::CancellationToken;

use crate::admin::execute::{Context, execute};
use crate::admin::request::{Answer, Call, Request};
use crate::engine::{Engine, Reader, Reading, Touch};
use crate::store;
use error::OfficeError;
use session::Viewer;

/// The largest form: a note of 64 KiB, percent-encoded.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// How the pages are served.
#[derive(Debug, Clone)]
pub struct OfficeOptions {
    /// Whether browsers reach the server over TLS only (its own or a proxy's): cookies are then
    /// bound to encrypted connections.
    pub secure: bool,
    /// The company's own identity provider, if people may sign in by it.
    pub oidc: Option<oidc::Oidc>,
    /// Cancelled when the server shuts down: event streams end.
    pub shutdown: CancellationToken,
}

/// What the pages share.
#[derive(Clone)]
pub struct OfficeState(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    options: OfficeOptions,
    attempts: limit::Attempts,
    tickets: ticket::Tickets,
    hashing: password::Hashing,
    counts: segments::Counts,
}

impl OfficeState {
    /// The pages of an engine.
    pub fn new(engine: Arc<Engine>, options: OfficeOptions) -> Self {
        Self(Arc::new(Inner {
            engine,
            options,
            attempts: limit::Attempts::new(),
            tickets: ticket::Tickets::new(),
            hashing: password::Hashing::new(),
            counts: segments::Counts::default(),
        }))
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }
    fn secure(&self) -> bool {
        self.0.options.secure
    }
    fn oidc(&self) -> Option<&oidc::Oidc> {
        self.0.options.oidc.as_ref()
    }
    fn shutdown(&self) -> &CancellationToken {
        &self.0.options.shutdown
    }
    fn attempts(&self) -> &limit::Attempts {
        &self.0.attempts
    }
    fn tickets(&self) -> &ticket::Tickets {
        &self.0.tickets
    }
    fn hashing(&self) -> &password::Hashing {
        &self.0.hashing
    }
    fn counts(&self) -> &segments::Counts {
        &self.0.counts
    }
    fn now(&self) -> UnixMs {
        self.0.engine.now_ms()
    }

    /// Reads from the database, away from the async threads.
    async fn read<T, F>(&self, work: F) -> Result<T, OfficeError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> store::Result<T> + Send + 'static,
    {
        self.engine_do(move |engine| engine.read(work)).await
    }

    /// Writes to the database; durable on return.
    async fn write<T, F>(&self, work: F) -> Result<T, OfficeError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> store::Result<T> + Send + 'static,
    {
        self.engine_do(move |engine| engine.write(work)).await
    }

    /// Counts contacts that are about to be shown; a page that says until when where it is too much.
    async fn take(
        &self,
        viewer: &Viewer,
        reading: Reading,
        shown: Vec<ContactId>,
    ) -> Result<(), OfficeError> {
        let reader = Reader { workspace: viewer.workspace, user: viewer.user, device: None };
        let held = self.engine_do(move |engine| engine.take_shown(reader, reading, &shown)).await?;
        held.map_or(Ok(()), |held| Err(OfficeError::Held(Box::new(held))))
    }

    /// Counts contacts that are about to be exported.
    async fn export(&self, viewer: &Viewer, contacts: Vec<ContactId>) -> Result<(), OfficeError> {
        let reader = Reader { workspace: viewer.workspace, user: viewer.user, device: None };
        let held = self
            .engine_do(move |engine| {
                let count = contacts.len() as u64;
                let held = engine.take_volume(reader, Reading::Export, count)?;
                if held.is_none() {
                    let (workspace, by) = (reader.workspace, Some(reader.user));
                    engine.touch_canaries(workspace, by, Touch::Export, contacts)?;
                }
                Ok(held)
            })
            .await?;
        held.map_or(Ok(()), |held| Err(OfficeError::Held(Box::new(held))))
    }

    /// Carries out a command in the viewer's name: with their rights, and audited as theirs.
    async fn command(&self, viewer: &Viewer, request: Request) -> Result<Answer, OfficeError> {
        let engine = self.engine().clone();
        let call = Call {
            workspace: Some(viewer.workspace.to_string()),
            by: Some(viewer.login.clone()),
            request,
        };
        let done = tokio::task::spawn_blocking(move || {
            execute(&engine, &Context::default(), call, &[], &mut std::io::sink())
        });
        done.await.map_err(OfficeError::failed)?.map_err(OfficeError::from)
    }

    /// Something that blocks on the engine.
    async fn engine_do<T, F>(&self, work: F) -> Result<T, OfficeError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> store::Result<T> + Send + 'static,
    {
        let (engine, language) = (self.engine().clone(), words::current());
        Ok(tokio::task::spawn_blocking(move || words::within(language, || work(&engine)))
            .await
            .map_err(OfficeError::failed)??)
    }
}

/// The pages as a router: everything but `/sync` and the health checks.
pub fn router(state: OfficeState) -> Router {
    Router::new()
        .route("/", get(today::page))
        .route("/contacts", get(contacts::page).post(contact_edit::create))
        .route("/contacts/columns", post(views::set_columns))
        .route("/contacts/views", post(views::save))
        .route("/contacts/views/{id}", post(views::change))
        .route("/contacts/views/{id}/remove", post(views::remove))
        .route("/contacts/bulk", get(bulk::earlier).post(bulk::list))
        .route("/contacts/bulk/{n}", get(bulk::page))
        .route("/contacts/bulk/{n}/do", post(bulk::carry_out))
        .route("/contacts/bulk/{n}/undo", post(bulk::undo))
        .route("/contacts/{id}", get(contact::page))
        .route("/contacts/{id}/set", post(contact_edit::set))
        .route("/contacts/{id}/put", post(contact_edit::put))
        .route("/contacts/{id}/tag", post(contact_edit::tag))
        .route("/contacts/{id}/untag", post(contact_edit::untag))
        .route("/contacts/{id}/note", post(contact_edit::note))
        .route("/contacts/{id}/log", post(contact_edit::log))
        .route("/contacts/{id}/resolve", post(contact_edit::resolve))
        .route("/contacts/{id}/assign", post(contact_edit::assign))
        .route("/contacts/{id}/stage", post(contact_edit::stage))
        .route("/segments", get(segments::page).post(segments::save))
        .route("/segments/{id}/remove", post(segments::remove))
        .route("/segments/assign", post(segments::assign))
        .route("/segments/export", post(segments::export))
        .route("/segments/hand", post(lists::hand))
        .route("/segments/take-back", post(lists::take_back))
        .route("/funnel", get(funnel::page))
        .route("/activity", get(activity::page))
        .route("/value", get(value::page))
        .route("/decide", get(decide::page))
        .route("/decide/quarantine.json", get(decide::export))
        .route("/decide/proposals/{n}/{verdict}", post(proposals::decide))
        .route("/devices", get(devices::page))
        .route("/devices/{id}/revoke", post(devices::revoke))
        .route("/people/{id}/code", post(devices::code))
        .route("/people/{id}/sign-out", post(alerts::sign_out))
        .route("/people/{id}/lift", post(alerts::lift))
        .route("/alerts", get(alerts::page))
        .route("/alerts/{n}/seen", post(alerts::seen))
        .route("/erasures", get(erasures::page))
        .route("/erasures/{id}/{other}", post(erasures::settle))
        .route("/retention", get(retention::page).post(retention::set))
        .route("/retention/remove", post(retention::remove))
        .route("/retention/apply", post(retention::apply))
        .route("/review", get(review::page))
        .route("/review/confirm", post(review::confirm))
        .route("/settings", get(settings::page))
        .route("/settings/people", get(settings::team::page).post(settings::team::add))
        .route("/settings/people/change", post(settings::team::change))
        .route("/settings/people/invite", post(settings::team::invite))
        .route("/settings/people/factor", post(settings::team::factor_off))
        .route("/settings/teams", post(settings::team::set_team))
        .route("/settings/look", get(settings::look::page).post(settings::look::set))
        .route("/settings/sorting", get(settings::sorting::page).post(settings::sorting::set))
        .route("/settings/stages", get(settings::stages::page).post(settings::stages::set))
        .route("/settings/fields", get(settings::custom::page).post(settings::custom::change))
        .route("/settings/tags", get(settings::tags::page).post(settings::tags::change))
        .route("/settings/keys", get(settings::keys::page).post(settings::keys::add))
        .route("/settings/keys/{id}/revoke", post(settings::keys::revoke))
        .route("/settings/webhooks", get(settings::hooks::page).post(settings::hooks::add))
        .route("/settings/webhooks/{id}", get(settings::hooks::dead))
        .route("/settings/webhooks/{id}/remove", post(settings::hooks::remove))
        .route("/settings/webhooks/{id}/retry", post(settings::hooks::retry))
        .route("/look/{name}", get(settings::look::get))
        .route("/audit", get(audit::page))
        .route("/audit/export", get(audit::export))
        .route("/account", get(account::page))
        .route("/account/password", post(account::set_password))
        .route("/account/language", post(account::set_language))
        .route("/account/others", post(account::end_others))
        .route("/account/second-factor", post(account::begin))
        .route("/account/second-factor/confirm", post(account::confirm))
        .route("/account/second-factor/codes", post(account::renew_codes))
        .route("/account/second-factor/off", post(account::turn_off))
        .route("/events", get(events::stream))
        .route("/sign-in", get(sign_in::form).post(sign_in::submit))
        .route("/sign-in/code", post(sign_in::submit_code))
        .route("/sign-in/oidc", get(oidc::leave))
        .route(oidc::BACK, get(oidc::back))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/welcome", get(sign_in::welcome).post(sign_in::set_password))
        .route("/welcome/{code}", get(sign_in::welcome_with))
        .route("/assets/{name}", get(assets::get))
        .fallback(missing)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(words::listen))
        .layer(map_response(guard_headers))
        .with_state(state)
}

async fn missing() -> OfficeError {
    OfficeError::NotFound { what: "page" }
}

/// Headers of every answer: nothing from elsewhere runs, frames or sees a page, and no cache keeps
/// one. `same-origin` and not `no-referrer`, which would make browsers send `Origin: null`.
async fn guard_headers(mut response: Response) -> Response {
    const HEADERS: [(header::HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    response
}
