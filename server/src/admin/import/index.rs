//! The contacts of a workspace as an import looks them up: by key, by email, by phone.

use std::collections::HashMap;

use roadbook_protocol::ids::ContactId;
use roadbook_protocol::projection::Row;

use super::compact;
use super::draft::Draft;
use super::reach::{email_key, phone_key, region};

/// Somebody who is there: a contact of the workspace, or an earlier row of the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The contact at this place of [`Index::rows`].
    Contact(usize),
    /// The row on this line.
    Line(u64),
}

/// Somebody with the same phone or email.
#[derive(Debug, Clone)]
struct Namesake {
    who: Who,
    person: String,
    company: String,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Index {
    rows: Vec<Row>,
    by_contact: HashMap<ContactId, usize>,
    by_key: HashMap<(String, String), Who>,
    by_email: HashMap<String, Namesake>,
    by_phone: HashMap<String, Vec<Namesake>>,
}

impl Index {
    /// Takes in a contact of the workspace.
    pub fn add_contact(&mut self, row: Row) {
        let who = Who::Contact(self.rows.len());
        let text =
            |field: &str| row.fields.get(field).and_then(|v| v.as_text()).unwrap_or_default();
        let namesake = Namesake {
            who,
            person: compact(&format!("{} {}", text("given_name"), text("family_name"))),
            company: compact(text("company")),
        };
        for (system, id) in &row.external_ids {
            self.by_key.entry((compact(system), id.clone())).or_insert(who);
        }
        let place = region(&row.country);
        let phones =
            row.phones.iter().filter_map(|number| phone_key(number, place)).collect::<Vec<_>>();
        let emails = row.emails.iter().map(|address| email_key(address)).collect::<Vec<_>>();
        self.file(&namesake, phones, emails);
        self.by_contact.insert(row.id, self.rows.len());
        self.rows.push(row);
    }

    /// Takes in a row of the file that becomes, or is, a contact.
    pub fn add_draft(&mut self, draft: &Draft) {
        let who = Who::Line(draft.line);
        self.by_key.insert(key_of(draft), who);
        let namesake =
            Namesake { who, person: draft.person.clone(), company: draft.company.clone() };
        let phones =
            draft.phones.iter().filter_map(|(_, number)| phone_key(number, draft.region)).collect();
        let emails = draft.emails.iter().map(|(_, address)| email_key(address)).collect();
        self.file(&namesake, phones, emails);
    }

    fn file(&mut self, namesake: &Namesake, phones: Vec<String>, emails: Vec<String>) {
        for phone in phones {
            let there = self.by_phone.entry(phone).or_default();
            // A switchboard of hundreds needs no more to be recognised.
            if there.len() < 32 {
                there.push(namesake.clone());
            }
        }
        for email in emails {
            self.by_email.entry(email).or_insert_with(|| namesake.clone());
        }
    }

    /// Who has this draft's key.
    pub fn by_key(&self, draft: &Draft) -> Option<Who> {
        self.by_key.get(&key_of(draft)).copied()
    }

    /// The contact whose own id the draft's key is: the row was exported from here.
    pub fn by_own_id(&self, draft: &Draft) -> Option<usize> {
        let id = (compact(&draft.key.0) == "id").then(|| draft.key.1.parse().ok()).flatten()?;
        self.by_contact.get(&id).copied()
    }

    /// Who has an external id, whatever the system, if only one contact does.
    pub fn by_id_anywhere(&self, id: &str) -> Option<usize> {
        let mut found = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.external_ids.values().any(|own| own == id));
        match (found.next(), found.next()) {
            (Some((i, _)), None) => Some(i),
            _ => None,
        }
    }

    /// Who has an external id in a system.
    pub fn by_id(&self, system: &str, id: &str) -> Option<usize> {
        match self.by_key.get(&(compact(system), id.to_owned())) {
            Some(Who::Contact(i)) => Some(*i),
            _ => None,
        }
    }

    /// Whether any contact has an id in that system.
    pub fn knows_system(&self, system: &str) -> bool {
        let system = compact(system);
        self.by_key.keys().any(|(known, _)| *known == system)
    }

    /// Who is probably the same under another key, and why: the same email; or the same phone and
    /// the same person, or the same company where one of the two has no person.
    pub fn same(&self, draft: &Draft) -> Option<(Who, String)> {
        let of_email = draft.emails.iter().find_map(|(_, address)| {
            let namesake = self.by_email.get(&email_key(address))?;
            Some((namesake.who, format!("the same email {address}")))
        });
        of_email.or_else(|| {
            draft.phones.iter().find_map(|(_, number)| {
                let key = phone_key(number, draft.region)?;
                let namesake =
                    self.by_phone.get(&key)?.iter().find(|other| is_same(draft, other))?;
                Some((namesake.who, format!("the same phone {number} and name")))
            })
        })
    }

    /// The contact at a place.
    pub fn row(&self, place: usize) -> &Row {
        &self.rows[place]
    }

    /// Its id.
    pub fn id(&self, place: usize) -> ContactId {
        self.rows[place].id
    }
}

fn key_of(draft: &Draft) -> (String, String) {
    (compact(&draft.key.0), draft.key.1.clone())
}

fn is_same(draft: &Draft, other: &Namesake) -> bool {
    if draft.person.is_empty() || other.person.is_empty() {
        !draft.company.is_empty() && draft.company == other.company
    } else {
        draft.person == other.person
    }
}
