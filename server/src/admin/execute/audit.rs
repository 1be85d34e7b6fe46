//! The audit log: listing, verifying, writing out.

use std::collections::HashMap;
use std::io::Write;

use chrono::NaiveDate;
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, AuditFilter, AuditFormat, Failure, FailureKind};
use crate::engine::{EngineError, witness};
use crate::store::audit::{self, Ask, Entry, Hash, Verified};
use crate::store::people as users;

/// More entries are not listed at once.
const LIST_MAX: u32 = 10_000;
/// So much of an entry's detail is printed for people; JSON has all of it.
const DETAIL_CHARS_MAX: usize = 80;
/// Who is named for the shell and the server itself.
const OPERATOR: &str = "operator";
const DAY_MS: UnixMs = 24 * 3600 * 1000;

impl Job<'_> {
    pub(super) fn audit_list(&self, limit: u32, filter: &AuditFilter) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let ask = self.audit_ask(workspace, filter)?;
        let (entries, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            let entries = audit::list(conn, workspace, &ask, limit.min(LIST_MAX), 0)?;
            Ok((entries, users::list_users(conn, workspace)?))
        })?;
        let logins: HashMap<UserId, String> =
            people.into_iter().map(|user| (user.id, user.login)).collect();
        let row = |entry: &Entry| {
            let by = entry.by.map_or_else(
                || OPERATOR.to_owned(),
                |by| logins.get(&by).cloned().unwrap_or_else(|| by.to_string()),
            );
            let mut detail: String = entry.detail.chars().take(DETAIL_CHARS_MAX).collect();
            if detail.len() < entry.detail.len() {
                detail.push('…');
            }
            vec![
                entry.n.to_string(),
                moment(entry.at),
                entry.action.clone(),
                entry.subject.clone(),
                by,
                detail,
            ]
        };
        let rows: Vec<_> = entries.iter().map(row).collect();
        let header = ["n", "when", "what", "subject", "by", "detail"];
        Ok(Answer::new(json!({ "entries": entries }), table(&header, &rows)))
    }

    /// Walks the chain. With `accept` the losses that are told are accepted in the log itself.
    pub(super) fn audit_verify(&self, known: &[String], accept: bool) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let mut kept: Vec<(i64, Hash)> =
            known.iter().map(|text| noted(text)).collect::<Result<_, _>>()?;
        // The file first: what the database holds then is at least that new.
        let ends = witness::read(self.engine.dir())?;
        kept.extend(ends.iter().filter(|(of, ..)| *of == workspace).map(|end| (end.1, end.2)));
        let verify = || self.engine.read(|conn| audit::verify(conn, workspace, &kept));
        let mut report = verify()?;
        if accept {
            let gaps: Vec<i64> =
                report.gaps.iter().filter(|gap| !gap.accepted).map(|gap| gap.n).collect();
            let (by, now) = (self.by(workspace).ok(), self.engine.now_ms());
            self.engine.write(move |tx| -> Result<(), EngineError> {
                for gap in gaps {
                    let subject = gap.to_string();
                    audit::append(
                        tx,
                        workspace,
                        now,
                        by,
                        audit::GAP_ACCEPTED,
                        &subject,
                        &json!({}),
                    )?;
                }
                Ok(())
            })?;
            report = verify()?;
        }
        let data = serde_json::to_value(&report)
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        Ok(Answer { off: !report.is_whole(), ..Answer::new(data, told(&report)) })
    }

    pub(super) fn audit_export(
        &self,
        format: AuditFormat,
        filter: &AuditFilter,
        output: &mut dyn Write,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let ask = self.audit_ask(workspace, filter)?;
        let by = self.by(workspace).ok();
        let mut count = 0_u64;
        self.engine.read(|conn| write_out(conn, workspace, &ask, format, output, &mut count))?;
        let now = self.engine.now_ms();
        // Not the filter itself: whatever was typed into it would stay here for good.
        let detail = json!({ "entries": count, "filtered": ask != Ask::default() });
        self.engine.write(move |tx| -> Result<(), EngineError> {
            audit::append(tx, workspace, now, by, "audit.export", "", &detail)
        })?;
        let mut answer = Answer::new(json!(null), String::new());
        answer.notes.push(format!("{count} entries were written"));
        Ok(answer)
    }

    /// What was asked for, with logins and days made out.
    fn audit_ask(&self, workspace: WorkspaceId, filter: &AuditFilter) -> Result<Ask, Failure> {
        let operator = filter.who.as_deref() == Some(OPERATOR);
        let by = match filter.who.as_deref().filter(|_| !operator) {
            Some(login) => Some(self.user(workspace, login)?.id),
            None => None,
        };
        Ok(Ask {
            action: filter.action.clone(),
            by,
            by_operator: operator,
            about: filter.about.clone(),
            since: filter.since.as_deref().map(day).transpose()?,
            until: filter.until.as_deref().map(day).transpose()?.map(|day| day + DAY_MS),
        })
    }
}

/// Writes entries out, oldest first. Shared by the command and the page.
pub(crate) fn write_out(
    conn: &rusqlite::Connection,
    workspace: WorkspaceId,
    ask: &Ask,
    format: AuditFormat,
    output: &mut dyn Write,
    count: &mut u64,
) -> Result<(), Failure> {
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::File, format!("the output can't be written: {error}"))
    };
    match format {
        AuditFormat::Json => audit::each(conn, workspace, ask, |entry| {
            *count += 1;
            serde_json::to_writer(&mut *output, &entry)
                .map_err(|error| broken(&error))
                .and_then(|()| output.write_all(b"\n").map_err(|error| broken(&error)))
        }),
        AuditFormat::Csv => {
            let mut rows = csv::Writer::from_writer(output);
            rows.write_record(["n", "at", "by", "action", "subject", "detail", "hash"])
                .map_err(|error| broken(&error))?;
            audit::each(conn, workspace, ask, |entry| {
                *count += 1;
                let by = entry.by.map_or_else(|| OPERATOR.to_owned(), |by| by.to_string());
                let at = chrono::DateTime::from_timestamp_millis(entry.at)
                    .map_or_else(|| entry.at.to_string(), |at| at.to_rfc3339());
                let hash = entry.hash.unwrap_or_default();
                let Entry { n, action, subject, detail, .. } = entry;
                rows.write_record([&n.to_string(), &at, &by, &action, &subject, &detail, &hash])
                    .map_err(|error| broken(&error))
            })?;
            rows.flush().map_err(|error| broken(&error))
        }
    }
}

/// The report for people.
fn told(report: &Verified) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&format!("entry {}: {}\n", finding.n, finding.what));
    }
    for gap in &report.gaps {
        let state = if gap.accepted {
            "accepted"
        } else {
            "an older backup was restored, or entries were taken out; `audit verify --accept` accepts it"
        };
        text.push_str(&format!(
            "entry {}, {}: the log had reached entry {} before and had lost a part of it: {state}\n",
            gap.n,
            moment(gap.at),
            gap.reached,
        ));
    }
    text.push_str(&format!(
        "{} entries, {}; the newest is {}:{}\n",
        report.entries,
        if report.is_whole() { "nothing altered, nothing taken out" } else { "not whole" },
        report.n,
        report.hash
    ));
    text
}

fn noted(text: &str) -> Result<(i64, Hash), Failure> {
    let wrong = || {
        Failure::new(
            FailureKind::Usage,
            format!("--known `{text}`: write N:HASH as `audit verify` prints it"),
        )
    };
    let (n, hash) = text.split_once(':').ok_or_else(wrong)?;
    Ok((n.trim().parse().map_err(|_| wrong())?, audit::parse_hex(hash.trim()).ok_or_else(wrong)?))
}

fn day(text: &str) -> Result<UnixMs, Failure> {
    let day: NaiveDate = text.trim().parse().map_err(|_| {
        Failure::new(FailureKind::Usage, format!("`{text}` is no day; write YYYY-MM-DD"))
    })?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
}
