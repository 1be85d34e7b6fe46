//! Planting, listing and removing contacts that nobody real belongs to.
//!
//! A planted contact is made up of common names and of what the owner's base is like: the city, country,
//! status and category of one of its contacts. Its number is from a range that the country's regulator
//! keeps for films, so that it rings at nobody's; where no such range is known it has none.

use std::collections::BTreeMap;

use roadbook_protocol::document::{Collection, Command, Value};
use roadbook_protocol::ids::WorkspaceId;
use roadbook_protocol::projection::Row;
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::base::{Base, random, read_row};
use crate::admin::request::{Answer, CanaryCommand, Failure};
use crate::engine::{AuthorOutcome, Authored, EngineError, Erase};
use crate::store::{audit, canaries};

/// Planted at once.
const COUNT_MAX: u32 = 100;
/// Why a removed one is erased.
const REASON: &str = "canary";
/// Contacts of a base of which one is taken as the example.
const EXAMPLES_MAX: usize = 200;

/// Common names of a language area; any two of them have been together somewhere.
struct Area {
    countries: &'static [&'static str],
    given: &'static [&'static str],
    family: &'static [&'static str],
    /// A number kept for films: what stands before the last digits, and how many digits follow.
    phone: Option<(&'static str, u32)>,
}

const AREAS: &[Area] = &[
    Area {
        countries: &["", "united kingdom", "uk", "gb", "england", "great britain", "ireland"],
        given: &[
            "Helen", "Martin", "Alison", "Colin", "Janet", "Graham", "Louise", "Stuart", "Carol",
            "Neil",
        ],
        family: &[
            "Marsh",
            "Holloway",
            "Barton",
            "Pearce",
            "Whitfield",
            "Garner",
            "Norris",
            "Hobbs",
            "Lowe",
            "Sutton",
        ],
        // Ofcom: 07700 900000 to 900999.
        phone: Some(("+447700900", 3)),
    },
    Area {
        countries: &[
            "germany",
            "deutschland",
            "de",
            "austria",
            "österreich",
            "switzerland",
            "schweiz",
        ],
        given: &[
            "Sabine", "Thomas", "Petra", "Uwe", "Monika", "Jürgen", "Anke", "Bernd", "Heike",
            "Ralf",
        ],
        family: &[
            "Winter", "Brandt", "Lorenz", "Seidel", "Kuhn", "Pohl", "Engel", "Horn", "Voigt",
            "Sauer",
        ],
        // Bundesnetzagentur: (030) 23125 000 to 999.
        phone: Some(("+493023125", 3)),
    },
    Area {
        countries: &["united states", "usa", "us", "canada", "ca"],
        given: &[
            "Karen", "Mark", "Linda", "Scott", "Susan", "Brian", "Donna", "Kevin", "Diane", "Gary",
        ],
        family: &[
            "Foster", "Hayes", "Bryant", "Griffin", "Wallace", "Hamilton", "Graham", "Sullivan",
            "Cole", "West",
        ],
        // 555-0100 to 0199.
        phone: Some(("+1202555010", 1)),
    },
    Area {
        countries: &["france", "fr", "belgique", "belgium"],
        given: &[
            "Isabelle", "Philippe", "Nathalie", "Laurent", "Sylvie", "Pascal", "Corinne",
            "Thierry", "Valérie", "Didier",
        ],
        family: &[
            "Roux", "Fournier", "Girard", "Mercier", "Faure", "Blanc", "Guérin", "Muller",
            "Legrand", "Garnier",
        ],
        // Arcep: 01 99 00 00 00 and what follows.
        phone: Some(("+331990000", 2)),
    },
];

impl Job<'_> {
    pub(super) fn canary(&self, command: &CanaryCommand) -> Result<Answer, Failure> {
        match command {
            CanaryCommand::Plant { owner, count, given, family, email, phone } => {
                let wanted = given.as_deref().zip(family.as_deref());
                self.canary_plant(owner, *count, wanted, email.as_deref(), phone.as_deref())
            }
            CanaryCommand::List => self.canary_list(),
            CanaryCommand::Remove { id } => self.canary_remove(id),
        }
    }

    fn canary_plant(
        &self,
        login: &str,
        count: u32,
        name: Option<(&str, &str)>,
        email: Option<&str>,
        phone: Option<&str>,
    ) -> Result<Answer, Failure> {
        if count == 0 || count > COUNT_MAX {
            return Err(Failure::refused(format!("--count: write 1 to {COUNT_MAX}")));
        }
        let workspace = self.workspace()?;
        let owner = self.user(workspace, login)?;
        let base = self.base(workspace)?;
        let examples = self.examples(workspace, &owner.login)?;
        let mut planted = Vec::new();
        for _ in 0..count {
            let example = (!examples.is_empty()).then(|| &examples[below(examples.len())]);
            let id = base.new_contact_id();
            let commands = commands(&base, example, name, email, phone);
            let authored = Authored::create(id, Some(owner.id), commands);
            match base.author(vec![authored])?.pop() {
                Some(AuthorOutcome::Merged { .. }) => planted.push(id),
                Some(AuthorOutcome::Refused(error)) => return Err(error.into()),
                _ => return Err(Failure::refused("nothing was planted")),
            }
            let (by, now) = (self.who(workspace)?, self.engine.now_ms());
            self.engine.write(move |tx| -> Result<(), EngineError> {
                canaries::mark(tx, workspace, id, now, by)?;
                let detail = json!({ "owner": owner.id.to_string() });
                audit::append(tx, workspace, now, by, "canary.plant", &id.to_string(), &detail)
            })?;
        }
        let text: String = planted.iter().map(|id| format!("{id}\n")).collect();
        let mut answer = Answer::new(json!({ "planted": planted }), text);
        answer.notes.push(
            "it looks like any other contact, to its owner too; `canary list` is the only place that tells them apart"
                .to_owned(),
        );
        Ok(answer)
    }

    fn canary_list(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (all, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            let people = crate::store::people::list_users(conn, workspace)?;
            Ok((canaries::list(conn, workspace)?, people))
        })?;
        let (mut rows, mut data) = (Vec::new(), Vec::new());
        for canary in &all {
            let owner = people.iter().find(|user| Some(user.id) == canary.owner);
            let login = owner.map_or("", |user| user.login.as_str());
            rows.push(vec![
                canary.contact.to_string(),
                login.to_owned(),
                moment(canary.planted_at),
                canary.display_name.clone(),
            ]);
            let mut one = serde_json::to_value(canary).unwrap_or_default();
            one["owner_login"] = json!(login);
            data.push(one);
        }
        let header = ["contact", "owner", "planted", "name"];
        Ok(Answer::new(json!({ "canaries": data }), table(&header, &rows)))
    }

    fn canary_remove(&self, text: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let [contact] = self.contact_ids(workspace, &[text.to_owned()])?[..] else {
            return Err(Failure::refused(format!("`{text}` is not one contact")));
        };
        if !self.engine.read(|conn| canaries::is_one(conn, workspace, contact))? {
            return Err(Failure::refused(format!(
                "contact {contact} is no canary; `canary list` shows them, `erase` erases a contact"
            )));
        }
        let by = self.who(workspace)?;
        let erase = Erase { contact, mentions: Vec::new() };
        self.engine.erase(workspace, by, vec![erase], REASON)?;
        self.record(workspace, "canary.remove", &contact.to_string(), json!({}))?;
        let mut answer = Answer::new(json!({ "removed": contact }), String::new());
        answer.notes.push(format!("canary {contact} was erased; alerts about it stay"));
        Ok(answer)
    }

    /// Some contacts of a base, for what a contact of it is like.
    fn examples(&self, workspace: WorkspaceId, login: &str) -> Result<Vec<Row>, Failure> {
        Ok(self.engine.read(|conn| -> Result<Vec<Row>, EngineError> {
            let mut statement = conn.prepare_cached(
                "SELECT row FROM projection WHERE workspace = ? AND owner_login = ? LIMIT ?",
            )?;
            let mut rows = statement.query((workspace.as_bytes(), login, EXAMPLES_MAX))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_row(row.get_ref(0)?.as_str().unwrap_or_default())?);
            }
            Ok(found)
        })?)
    }
}

/// What makes one up.
fn commands(
    base: &Base<'_>,
    example: Option<&Row>,
    name: Option<(&str, &str)>,
    email: Option<&str>,
    phone: Option<&str>,
) -> Vec<Command> {
    let country = example.map_or("", |row| row.country.as_str());
    let area = area(country);
    let pick = |words: &[&'static str]| words[below(words.len())].to_owned();
    let (given, family) = match name {
        Some((given, family)) => (given.to_owned(), family.to_owned()),
        None => (pick(area.given), pick(area.family)),
    };
    let set =
        |field: &str, value: Value| Command::Set { field: field.to_owned(), value: Some(value) };
    let mut commands =
        vec![set("given_name", given.as_str().into()), set("family_name", family.as_str().into())];
    for field in ["status", "category"] {
        if let Some(value) = example.and_then(|row| row.fields.get(field)) {
            commands.push(set(field, value.clone()));
        }
    }
    let mut put = |collection, fields: &[(&str, &str)]| {
        let fields: BTreeMap<String, Option<Value>> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), Some((*value).into())))
            .collect();
        if !fields.is_empty() {
            commands.push(Command::Put { collection, id: base.new_entry_id(), fields });
        }
    };
    if let Some(row) = example {
        put(Collection::Addresses, &[("city", &row.city), ("country", &row.country)]);
    }
    let number = match (phone, area.phone) {
        (Some(phone), _) => phone.to_owned(),
        (None, Some((before, digits))) => {
            let most = 10_usize.pow(digits);
            format!("{before}{:0width$}", below(most), width = digits as usize)
        }
        (None, None) => String::new(),
    };
    put(Collection::Phones, &[("number", &number)]);
    put(Collection::Emails, &[("address", email.unwrap_or_default())]);
    commands
}

/// The names that fit a country; English ones where it is not known, and no number then.
fn area(country: &str) -> &'static Area {
    const ELSEWHERE: Area =
        Area { countries: &[], given: AREAS[0].given, family: AREAS[0].family, phone: None };
    let country = country.trim().to_lowercase();
    AREAS.iter().find(|area| area.countries.contains(&country.as_str())).unwrap_or(&ELSEWHERE)
}

/// A number below `most`, which is not zero.
fn below(most: usize) -> usize {
    // The bias of a remainder of 64 bits is of no account here.
    (u64::from_le_bytes(random()) % most as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_ranges_that_are_kept_for_films() {
        assert_eq!(area("Deutschland").phone, Some(("+493023125", 3)));
        assert_eq!(area(" germany ").given[0], "Sabine");
        assert_eq!(area("Norway").phone, None);
        let ids: std::collections::BTreeSet<usize> = (0..500).map(|_| below(10)).collect();
        assert_eq!(ids.len(), 10);
    }
}
