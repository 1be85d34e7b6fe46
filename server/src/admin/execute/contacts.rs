//! Which contacts are meant, and import.

use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::{ContactId, WorkspaceId};
use serde_json::json;

use super::Job;
use crate::admin::import::sheet::{Given, Sheet};
use crate::admin::import::{ImportOptions, Kind, contacts, purchases};
use crate::admin::request::{Answer, Failure, FailureKind};
use crate::engine::EngineError;
use crate::filtered::Filtered;

impl Job<'_> {
    /// The contacts that a filter matches, by name; archived ones too.
    pub(super) fn matching(
        &self,
        workspace: WorkspaceId,
        filter: &str,
    ) -> Result<Vec<ContactId>, Failure> {
        let filter = Filter::parse(if filter.trim() == "*" { "" } else { filter })?;
        if filter.mentions_classes() {
            self.engine.refresh_standings(workspace)?;
        }
        let Filtered { text, params, .. } =
            Filtered::of_all(workspace, &filter, self.engine.now_ms())?;
        let query = format!("SELECT p.id FROM projection p WHERE {text} ORDER BY p.sort_key, p.id");
        let ids = self.engine.read(|conn| -> Result<Vec<ContactId>, EngineError> {
            let mut statement = conn.prepare(&query)?;
            let rows = statement
                .query_map(rusqlite::params_from_iter(params), |row| row.get::<_, [u8; 16]>(0))?;
            Ok(rows.map(|id| id.map(ContactId::from_bytes)).collect::<rusqlite::Result<_>>()?)
        })?;
        Ok(ids)
    }

    /// Contacts by their ids or unique beginnings of them.
    pub(super) fn contact_ids(
        &self,
        workspace: WorkspaceId,
        texts: &[String],
    ) -> Result<Vec<ContactId>, Failure> {
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let Some((low, high)) = id_range(text) else {
                return Err(Failure::refused(format!(
                    "`{text}` is not a contact id nor the beginning of one"
                )));
            };
            let found = self.engine.read(|conn| -> Result<Vec<ContactId>, EngineError> {
                let mut statement = conn.prepare_cached(
                    "SELECT id FROM contact WHERE workspace = ? AND id BETWEEN ? AND ? AND erased_at IS NULL LIMIT 2",
                )?;
                let rows = statement.query_map((workspace.as_bytes(), low, high), |row| row.get::<_, [u8; 16]>(0))?;
                Ok(rows.map(|id| id.map(ContactId::from_bytes)).collect::<rusqlite::Result<_>>()?)
            })?;
            match found[..] {
                [id] => ids.push(id),
                [] => {
                    return Err(Failure::refused(format!(
                        "no contact has an id that begins with `{text}`; `export` shows all"
                    )));
                }
                _ => {
                    return Err(Failure::refused(format!(
                        "several contacts have an id that begins with `{text}`; give more of it"
                    )));
                }
            }
        }
        Ok(ids)
    }

    pub(super) fn import(
        &self,
        options: &ImportOptions,
        files: &[Vec<u8>],
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let base = self.base(workspace)?;
        let encoding = match options.encoding.as_deref() {
            None => None,
            Some(label) => Some(encoding_rs::Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                Failure::new(FailureKind::Usage, format!("--encoding: `{label}` is not known; write one such as utf-8, windows-1252, iso-8859-2, koi8-r"))
            })?),
        };
        let given =
            Given { delimiter: options.delimiter.and_then(|c| u8::try_from(c).ok()), encoding };
        let missing = || Failure::new(FailureKind::Usage, "the file to import did not arrive");
        let sheet = Sheet::read(&options.file, files.first().ok_or_else(missing)?, given)?;
        let report = match options.kind {
            Kind::Contacts => {
                let owner = options
                    .owner
                    .as_deref()
                    .map(|login| self.user(workspace, login))
                    .transpose()?;
                contacts::run(&base, options, &sheet, owner.map(|user| user.id))?
            }
            Kind::Purchases => {
                let orders = match &options.orders {
                    Some(name) => {
                        Some(Sheet::read(name, files.get(1).ok_or_else(missing)?, given)?)
                    }
                    None => None,
                };
                purchases::run(&base, options, &sheet, orders.as_ref())?
            }
        };
        let data = serde_json::to_value(&report)
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        if !options.dry_run {
            let kind = match options.kind {
                Kind::Contacts => "contacts",
                Kind::Purchases => "purchases",
            };
            let detail =
                json!({ "kind": kind, "bytes": files.iter().map(Vec::len).sum::<usize>() });
            self.record(workspace, "contacts.import", "", detail)?;
        }
        Ok(Answer::new(data, report.text()))
    }
}

/// The ids that begin with these hexadecimal digits, hyphens left out.
fn id_range(text: &str) -> Option<([u8; 16], [u8; 16])> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let bound = |fill: char| {
        let mut full = digits.clone();
        full.extend(std::iter::repeat_n(fill, 32 - digits.len()));
        u128::from_str_radix(&full, 16).ok().map(u128::to_be_bytes)
    };
    Some((bound('0')?, bound('f')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_range() {
        let (low, high) = id_range("0192-a").unwrap();
        assert_eq!(
            (low[..3].to_vec(), high[..3].to_vec()),
            (vec![0x01, 0x92, 0xa0], vec![0x01, 0x92, 0xaf])
        );
        assert_eq!((low[15], high[15]), (0, 0xff));
        let whole = "0192f3c0-7d1e-7a40-8000-0123456789ab";
        assert_eq!(id_range(whole).map(|(a, b)| a == b), Some(true));
        for wrong in ["", "-", "xyz", "0192f3c0-7d1e-7a40-8000-0123456789abc"] {
            assert!(id_range(wrong).is_none(), "{wrong}");
        }
    }
}
