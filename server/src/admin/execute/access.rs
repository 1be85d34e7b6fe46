//! Everything about one person in one archive, for them to read and for another program to take in: what
//! is known, who wrote what and when, who may see it, what was refused or waits for a decision.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use roadbook_protocol::document;
use roadbook_protocol::document::schema::{self, Collection};
use roadbook_protocol::document::{Contact, HistoryItem, Value};
use roadbook_protocol::ids::{ContactId, UserId};
use roadbook_protocol::wire::Access;
use serde_json::{Value as Json, json};

use super::{Job, moment};
use crate::admin::request::{Answer, Failure, FailureKind};
use crate::admin::zip::Zip;
use crate::engine::{EngineError, SetAside};
use crate::store::handed::{self, Handed};
use crate::store::proposals::{self, Proposal};
use crate::store::{changes, contacts, people as users};

/// Changes that were set aside, and sets of proposals, are listed up to so many.
const LISTED_MAX: u32 = 10_000;

const README: &str = "Everything that is stored about one contact.

contact.html      to be read: what is known now, and every change with its author and time
contact.json      the same data for another program: fields, lists with their ids, consents
history.json      every change, newest first: author, time as that device claimed it, what was before and after
rights.json       who has the contact on their devices, and who had
set_aside.json    edits that could not become part of the contact, with the reason
proposals.json    late edits that wait for a decision, or were decided
lists.json        lists on people's devices that the contact is in
";

/// What goes into the archive.
struct Collected {
    contact: Contact,
    history: Vec<HistoryItem>,
    set_aside: Vec<(SetAside, Vec<u8>)>,
    proposals: Vec<Proposal>,
    lists: Vec<Handed>,
    rights: Vec<(UserId, Access)>,
    names: BTreeMap<UserId, String>,
}

impl Job<'_> {
    pub(super) fn access(&self, id: &str, output: &mut dyn Write) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let [contact] = self.contact_ids(workspace, &[id.to_owned()])?[..] else {
            return Err(Failure::refused(format!("`{id}` is not one contact")));
        };
        let all = self.collect(contact)?;
        self.take_export(&[contact])?;
        let files = [
            ("README.txt", README.as_bytes().to_vec()),
            ("contact.html", all.html().into_bytes()),
            ("contact.json", pretty(&json!(all.contact))?),
            ("history.json", pretty(&all.history_json())?),
            ("rights.json", pretty(&all.rights_json())?),
            ("set_aside.json", pretty(&all.set_aside_json())?),
            ("proposals.json", pretty(&json!(all.proposals))?),
            ("lists.json", pretty(&all.lists_json())?),
        ];
        let mut zip = Zip::new(io::BufWriter::new(output), self.engine.now_ms());
        files
            .iter()
            .try_for_each(|(name, bytes)| zip.add(name, bytes))
            .and_then(|()| zip.finish())
            .map_err(|error| {
                Failure::new(FailureKind::File, format!("the archive can't be written: {error}"))
            })?;
        let detail = json!({ "changes": all.history.len(), "set_aside": all.set_aside.len() });
        self.record(workspace, "contact.access", &contact.to_string(), detail)?;
        let notes = vec![format!(
            "contact {contact}: {} changes, {} set aside, {} sets of late edits",
            all.history.len(),
            all.set_aside.len(),
            all.proposals.len()
        )];
        Ok(Answer { notes, ..Answer::default() })
    }

    fn collect(&self, contact: ContactId) -> Result<Collected, Failure> {
        let workspace = self.workspace()?;
        let doc = self.engine.document(workspace, contact)?;
        let everything = self.engine.read(|conn| -> Result<_, EngineError> {
            let mut set_aside = Vec::new();
            for change in changes::set_aside(conn, workspace, Some(contact), None, LISTED_MAX)? {
                let bytes = changes::bytes(conn, workspace, change.seq)?.unwrap_or_default();
                set_aside.push((change, bytes));
            }
            let wanted = proposals::Wanted {
                decided: true,
                contact: Some(contact),
                limit: LISTED_MAX,
                ..Default::default()
            };
            let names = users::list_users(conn, workspace)?
                .into_iter()
                .map(|user| (user.id, format!("{} ({})", user.name, user.login)))
                .collect();
            Ok(Collected {
                contact: document::read(contact, &doc),
                history: document::history(contact, &doc, usize::MAX),
                set_aside,
                proposals: proposals::list(conn, workspace, wanted)?,
                lists: handed::of_contact(conn, workspace, contact)?,
                rights: contacts::accesses(conn, workspace, contact)?,
                names,
            })
        })?;
        Ok(everything)
    }
}

fn pretty(json: &Json) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec_pretty(json)
        .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))
}

impl Collected {
    fn name(&self, user: &UserId) -> String {
        self.names.get(user).cloned().unwrap_or_else(|| user.to_string())
    }

    fn history_json(&self) -> Json {
        let items = self.history.iter().map(|item| {
            let mut json = json!(item);
            json["author_name"] = json!(self.name(&item.author));
            json
        });
        Json::Array(items.collect())
    }

    fn lists_json(&self) -> Json {
        let lists = self.lists.iter().map(|list| {
            let to: Vec<String> = list.to.iter().map(|user| self.name(user)).collect();
            json!({ "name": list.name, "by": self.name(&list.by), "at": list.at, "to": to })
        });
        Json::Array(lists.collect())
    }

    fn rights_json(&self) -> Json {
        let rights = self.rights.iter().map(|(user, access)| {
            let held = match access {
                Access::Owner => "owner",
                Access::Collaborator => "collaborator",
                Access::Removed => "had it once",
            };
            json!({ "user": user, "name": self.name(user), "access": held })
        });
        Json::Array(rights.collect())
    }

    fn set_aside_json(&self) -> Json {
        let all = self.set_aside.iter().map(|(change, bytes)| {
            let mut json = json!(change);
            json["author_name"] = json!(self.name(&change.user));
            json["raw"] = json!(hex::encode(bytes));
            json
        });
        Json::Array(all.collect())
    }

    /// One page without scripts or links to anywhere.
    fn html(&self) -> String {
        let mut page = String::from(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Contact</title><style>\
             body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
             table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3em .6em;\
             text-align:left;vertical-align:top}</style></head><body>\n",
        );
        let contact = &self.contact;
        // Writing into a string can't fail.
        let _ = writeln!(page, "<h1>{}</h1>", escaped(&contact.display_name));
        let mut facts: Vec<(String, String)> = contact
            .fields
            .iter()
            .map(|(name, value)| {
                let label = schema::field(name).map_or(name.as_str(), |spec| spec.label);
                (label.to_owned(), value.to_string())
            })
            .collect();
        facts.extend(contact.custom.iter().map(|(name, value)| (name.clone(), value.to_string())));
        facts.extend(
            contact.external_ids.iter().map(|(system, id)| (format!("Id in {system}"), id.clone())),
        );
        if !contact.tags.is_empty() {
            facts.push(("Tags".to_owned(), contact.tags.join(", ")));
        }
        if !contact.note.is_empty() {
            facts.push(("Note".to_owned(), contact.note.clone()));
        }
        page.push_str("<table>\n");
        for (name, value) in facts {
            let _ =
                writeln!(page, "<tr><th>{}</th><td>{}</td></tr>", escaped(&name), escaped(&value));
        }
        page.push_str("</table>\n");
        for collection in Collection::ALL {
            let entries = contact.entries(collection);
            if entries.is_empty() {
                continue;
            }
            let _ = writeln!(page, "<h2>{}</h2><ul>", collection.name());
            for entry in entries {
                let fields: Vec<String> = entry
                    .fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", shown(name, value)))
                    .collect();
                let _ = writeln!(page, "<li>{}</li>", escaped(&fields.join("; ")));
            }
            page.push_str("</ul>\n");
        }
        page.push_str("<h2>Who may see it</h2><ul>\n");
        for (user, access) in &self.rights {
            let held = match access {
                Access::Owner => "has it",
                Access::Collaborator => "works on it too",
                Access::Removed => "had it once",
            };
            let _ = writeln!(page, "<li>{} {held}</li>", escaped(&self.name(user)));
        }
        page.push_str(
            "</ul>\n<h2>History</h2><table><tr><th>When</th><th>Who</th><th>What</th></tr>\n",
        );
        for item in &self.history {
            let fields: Vec<String> = item
                .fields
                .iter()
                .map(|change| {
                    let text = |value: &Option<Value>| {
                        value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
                    };
                    format!("{}: {} → {}", change.field, text(&change.before), text(&change.after))
                })
                .collect();
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}<br>{}</td></tr>",
                escaped(&moment(item.at)),
                escaped(&self.name(&item.author)),
                escaped(&item.command),
                fields.iter().map(|field| escaped(field)).collect::<Vec<_>>().join("<br>")
            );
        }
        page.push_str("</table>\n");
        if !self.set_aside.is_empty() {
            page.push_str("<h2>Not part of it</h2><ul>\n");
            for (change, _) in &self.set_aside {
                let _ = writeln!(
                    page,
                    "<li>{}, {}: {}</li>",
                    escaped(&moment(change.received_at)),
                    escaped(&self.name(&change.user)),
                    escaped(&change.reason)
                );
            }
            page.push_str("</ul>\n");
        }
        page.push_str("</body></html>\n");
        page
    }
}

/// Moments are numbers in the data.
fn shown(name: &str, value: &Value) -> String {
    match value.as_int() {
        Some(ms) if name == "at" || name.ends_with("_at") => moment(ms),
        _ => value.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
