//! The audit log for administrators: newest first, with filters, verification and export.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{UnixMs, UserId};
use serde::Deserialize;

use super::error::OfficeError;
use super::layout::{self, Page, Place, Shape};
use super::session::Viewer;
use super::{OfficeState, decide, settings, url, words};
use crate::admin::execute::write_out;
use crate::admin::request::AuditFormat;
use crate::engine::witness;
use crate::rights::Action;
use crate::store::audit::{self, Entry, Verified};
use crate::store::people::{self, User};
use crate::store::{self, EngineError};

/// Entries on a page.
const ROWS: u32 = 100;
const DAY_MS: UnixMs = 24 * 3600 * 1000;
/// Who is named for the shell and the server itself.
const OPERATOR: &str = "operator";

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    action: String,
    by: String,
    about: String,
    since: String,
    until: String,
    page: Option<u32>,
    verify: Option<String>,
    format: String,
}

impl Ask {
    fn filter(&self) -> Result<audit::Ask, OfficeError> {
        let day = |text: &str| -> Result<Option<UnixMs>, OfficeError> {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let day: chrono::NaiveDate = text
                .trim()
                .parse()
                .map_err(|_| OfficeError::refused(t!("audit-no-day", text = text)))?;
            Ok(Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()))
        };
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let operator = self.by == OPERATOR;
        Ok(audit::Ask {
            action: text(&self.action),
            by: match text(&self.by).filter(|_| !operator) {
                Some(by) => Some(by.parse().map_err(|_| OfficeError::NotFound { what: "person" })?),
                None => None,
            },
            by_operator: operator,
            about: text(&self.about),
            since: day(&self.since)?,
            until: day(&self.until)?.map(|day| day + DAY_MS),
        })
    }

    fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("action", self.action.as_str()),
            ("by", &self.by),
            ("about", &self.about),
            ("since", &self.since),
            ("until", &self.until),
        ];
        pairs.extend_from_slice(more);
        url::with(path, &pairs)
    }
}

struct Found {
    entries: Vec<Entry>,
    total: u64,
    people: Vec<User>,
    verified: Option<Verified>,
    to_decide: u64,
}

/// `GET /audit`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::ReadAudit)?;
    let filter = ask.filter()?;
    let number = ask.page.unwrap_or(1).clamp(1, 1_000_000);
    let (rights, verify) = (viewer.rights.clone(), ask.verify.is_some());
    let found = state
        .engine_do(move |engine| {
            let workspace = rights.workspace;
            // The file first: what the database holds then is at least that new.
            let ends: Vec<(i64, audit::Hash)> = witness::read(engine.dir())?
                .into_iter()
                .filter(|(of, ..)| *of == workspace)
                .map(|end| (end.1, end.2))
                .collect();
            engine.read(|conn| -> store::Result<Found> {
                Ok(Found {
                    entries: audit::list(conn, workspace, &filter, ROWS, (number - 1) * ROWS)?,
                    total: audit::count(conn, workspace, &filter)?,
                    people: people::list_users(conn, workspace)?,
                    verified: match verify {
                        true => Some(audit::verify(conn, workspace, &ends)?),
                        false => None,
                    },
                    to_decide: decide::count(conn, &rights)?,
                })
            })
        })
        .await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("audit-title"),
        place: Some(Place::Settings),
        to_decide: found.to_decide,
        cursor: None,
        contact: None,
        body: render(&ask, &found, number),
    };
    Ok(page.render())
}

fn render(ask: &Ask, found: &Found, number: u32) -> Markup {
    let names: HashMap<UserId, &str> =
        found.people.iter().map(|user| (user.id, user.name.as_str())).collect();
    let pages = found.total.div_ceil(ROWS.into()).max(1);
    html! {
        div.bar {
            (settings::back()) h1 { (t!("audit-title")) } span.grow {}
                        a.btn href=(ask.address("/audit", &[("verify", "1")])) { (t!("audit-verify")) }
            a.btn href=(ask.address("/audit/export", &[("format", "csv")])) download="audit.csv" { (t!("audit-export-csv")) }
            a.btn href=(ask.address("/audit/export", &[("format", "json")])) download="audit.jsonl" { (t!("audit-export-json")) }
        }
        @if let Some(verified) = &found.verified { (verification(verified)) }
        form.card action="/audit" {
            div.fields {
                div { label for="action" { (t!("audit-what")) } input #action name="action" value=(ask.action) placeholder="device, contact.assign" autocapitalize="none" spellcheck="false"; }
                div { label for="by" { (t!("audit-who")) } select #by name="by" {
                    option value="" { (t!("audit-anybody")) }
                    option value=(OPERATOR) selected[ask.by == OPERATOR] { (t!("audit-operator")) }
                    @for user in &found.people { @let id = user.id.to_string(); option value=(id) selected[ask.by == id] { (user.name) } }
                } }
                div { label for="about" { (t!("audit-id")) } input.mono #about name="about" value=(ask.about) placeholder=(t!("audit-id-of")) spellcheck="false"; }
                div { label for="since" { (t!("audit-from")) } input #since type="date" name="since" value=(ask.since); }
                div { label for="until" { (t!("audit-to")) } input #until type="date" name="until" value=(ask.until); }
                div.wide { button.btn { (t!("show")) } }
            }
        }
        section.card.list aria-labelledby="count" {
            @if found.entries.is_empty() {
                (layout::empty(&t!("nothing-fits"), html! { (rich!("audit-nothing-text"; link = html! { a href="/audit" { (t!("see-all")) } })) }))
            } @else {
                table {
                    caption.vh { (t!("audit-caption")) }
                    thead { tr { th scope="col" { (t!("when")) } th scope="col" { (t!("audit-what")) } th.mid scope="col" { (t!("audit-who")) } th.mid scope="col" { (t!("audit-subject")) } th.wide scope="col" { (t!("audit-details")) } } }
                    tbody { @for entry in &found.entries { (row(entry, &names)) } }
                }
            }
            nav.pager aria-label=(t!("audit-pages")) {
                span.k #count role="status" { (t!("n-entries", n = found.total)) }
                div.bar {
                    @if number > 1 { a.btn.small rel="prev" href=(ask.address("/audit", &[("page", &(number - 1).to_string())])) { (t!("newer")) } }
                    span.k { (t!("page-of", page = number, pages = pages)) }
                    @if u64::from(number) < pages { a.btn.small rel="next" href=(ask.address("/audit", &[("page", &(number + 1).to_string())])) { (t!("older")) } }
                }
            }
        }
    }
}

fn row(entry: &Entry, names: &HashMap<UserId, &str>) -> Markup {
    let by = entry.by.map_or_else(
        || t!("audit-by-operator"),
        |by| names.get(&by).map_or_else(|| by.to_string(), |name| (*name).to_owned()),
    );
    // Ids of people are told by name, the rest as it is.
    let subject = match entry.subject.parse::<UserId>().ok().and_then(|id| names.get(&id)) {
        Some(name) => html! { (name) },
        None => html! { span.mono { (entry.subject) } },
    };
    let detail = if entry.detail == "{}" { "" } else { &entry.detail };
    html! {
        tr id={ "e-" (entry.n) } {
            td.muted.when { (layout::time(entry.at, Shape::Full)) div.k { (t!("audit-number", n = entry.n.to_string())) } }
            th scope="row" { b { (words::text_or("did", &entry.action, || entry.action.clone())) } div.k.mono { (entry.action) } div.narrow.k { (by) " · " (subject) } }
            td.mid { (by) }
            td.mid { (subject) }
            td.wide.mono { (detail) }
        }
    }
}

fn verification(verified: &Verified) -> Markup {
    html! {
        @if verified.is_whole() {
            div.notice.ok role="status" { p { (rich!("audit-whole", entries = t!("n-entries", n = verified.entries), n = verified.n.to_string(); hash = html! { span.mono { (verified.hash) } })) } }
        } @else {
            div.notice.stop role="alert" {
                p { (t!("audit-not-whole")) }
                ul {
                    @for finding in &verified.findings { li { (t!("audit-finding", n = finding.n.to_string(), what = finding.what.to_string())) } }
                    @for gap in verified.gaps.iter().filter(|gap| !gap.accepted) {
                        li { (rich!("audit-gap", n = gap.n.to_string(), reached = gap.reached.to_string(); time = layout::time(gap.at, Shape::Full), command = html! { span.mono { "roadbook-server audit verify --accept" } })) }
                    }
                }
            }
        }
    }
}

/// `GET /audit/export`: every entry that fits, oldest first.
pub(super) async fn export(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Response, OfficeError> {
    viewer.must(Action::ReadAudit)?;
    let filter = ask.filter()?;
    let format = if ask.format == "csv" { AuditFormat::Csv } else { AuditFormat::Json };
    let (workspace, by, now) = (viewer.workspace, viewer.user, state.now());
    let body = state
        .engine_do(move |engine| {
            let (mut body, mut count) = (Vec::new(), 0);
            engine
                .read(|conn| write_out(conn, workspace, &filter, format, &mut body, &mut count))
                .map_err(|failure| EngineError::damaged("the audit log", failure.to_string()))?;
            // Not the filter itself: whatever was typed into it would stay here for good.
            let filtered = filter != audit::Ask::default();
            let detail = serde_json::json!({ "entries": count, "filtered": filtered });
            engine.write(move |tx| -> store::Result<()> {
                audit::append(tx, workspace, now, Some(by), "audit.export", "", &detail)
            })?;
            Ok(body)
        })
        .await?;
    let (kind, name) = match format {
        AuditFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        AuditFormat::Json => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}
