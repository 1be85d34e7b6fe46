//! What happened with a contact, entry by entry: what totals, funnels and analyses count.
//!
//! A [row](crate::projection::Row) says how many visits there were and what they came to; these are
//! the visits themselves, with their authors. The server keeps them in tables of their own, derived
//! from the document as the row is, so that no page opens a document to count. Devices have their
//! documents and keep none of this.

use std::collections::{BTreeMap, HashMap};

use automerge::{Automerge, ChangeHash};

use crate::document::{self, Collection, FoundEntry, Path, Value, View};
use crate::ids::{EntryId, UnixMs, UserId};
use crate::message::ChangeMessage;

/// A visit, a call, a survey and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// One of [`document::schema::INTERACTIONS`], or what a newer version writes.
    pub kind: String,
    /// When it took place, as its author says; milliseconds since 1970.
    pub at: UnixMs,
    /// Who wrote it down: the author of the change that said what kind it is.
    pub by: Option<UserId>,
    /// What came of it.
    pub outcome: Option<String>,
    /// The answer of a survey, 0 to 10.
    pub nps: Option<i64>,
    /// What was said to it.
    pub comment: Option<String>,
}

/// Something that was bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Minor units; `None` where no amount, or no currency, is given.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// A deal as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// What it is called.
    pub title: String,
    /// One of [`document::schema::STAGES`]; empty before it has one.
    pub stage: String,
    /// Minor units; `None` where no amount, or no currency, is given.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Percent, as its rep judges it.
    pub probability: Option<i64>,
    /// `YYYY-MM-DD`.
    pub expected_close: Option<String>,
    /// Why it was lost.
    pub lost_reason: Option<String>,
    /// When its stage was written, as the author's device claims.
    pub entered_at: UnixMs,
    /// Whether its contact is archived: such a deal is on no board.
    pub archived: bool,
}

/// A task, open or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// `YYYY-MM-DD`.
    pub due: Option<String>,
    /// Whether it is done.
    pub done: bool,
    /// When, where that is known.
    pub done_at: Option<UnixMs>,
}

/// A consent that was given or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Such as `email`, in lower case and without space around it.
    pub channel: String,
    /// What for, likewise; empty where it is about everything.
    pub purpose: String,
    /// Whether it was given; else it was withdrawn.
    pub given: bool,
    /// When; 0 where that is not known.
    pub at: UnixMs,
}

/// A deal was put into a stage. Not named by the change that did it: where a document is begun anew, the
/// same is told by another change, of the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The deal.
    pub deal: EntryId,
    /// When, as the author's device claims.
    pub at: UnixMs,
    /// Into which stage; empty where it was taken out of any.
    pub stage: String,
}

/// Everything that is counted of one contact. Entries that were removed are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Visits, calls and so on.
    pub interactions: BTreeMap<EntryId, Interaction>,
    /// Purchases.
    pub purchases: BTreeMap<EntryId, Purchase>,
    /// Deals.
    pub deals: BTreeMap<EntryId, Deal>,
    /// Tasks.
    pub tasks: BTreeMap<EntryId, Task>,
    /// Consents.
    pub consents: BTreeMap<EntryId, Consent>,
}

/// Derives what is counted of a contact, by one pass of targeted reads.
pub fn facts(doc: &Automerge) -> Facts {
    let mut collector = Collector { authors: Authors::new(doc), facts: Facts::default() };
    let view = View::now(doc);
    for collection in [
        Collection::Interactions,
        Collection::Purchases,
        Collection::Deals,
        Collection::Tasks,
        Collection::Consents,
    ] {
        document::entries(view, collection, &mut |entry| collector.entry(entry));
    }
    let mut facts = collector.facts;
    if !facts.deals.is_empty() && document::flag(view, "archived") {
        facts.deals.values_mut().for_each(|deal| deal.archived = true);
    }
    facts
}

/// The moves of deals that changes beyond `since` made, each once; all of them where it is empty. A
/// document only grows, so the moves of its parts together are those of the whole; one that was begun
/// anew has the latest only.
pub fn moves(doc: &Automerge, since: &[ChangeHash]) -> Vec<Move> {
    let mut any = false;
    document::entries(View::now(doc), Collection::Deals, &mut |_| any = true);
    if !any {
        return Vec::new();
    }
    let mut names = document::Names::new(doc);
    let mut moves = Vec::new();
    for change in doc.get_changes(since) {
        let message = document::change_message(&change);
        for touch in names.touches(&change) {
            let Path::Field(Collection::Deals, deal, field) = &touch.path else { continue };
            if field != "stage" {
                continue;
            }
            moves.push(Move {
                deal: *deal,
                stage: touch.after.as_ref().and_then(Value::as_text).unwrap_or_default().to_owned(),
                at: message.as_ref().map_or(0, |message| message.at),
            });
        }
    }
    moves.sort();
    moves.dedup();
    moves
}

struct Collector<'d> {
    authors: Authors<'d>,
    facts: Facts,
}

impl Collector<'_> {
    fn entry(&mut self, entry: &FoundEntry<'_, '_>) {
        if entry.deleted {
            return;
        }
        let text = |name: &str| match entry.value(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        let word = |name: &str| text(name).map(|text| text.trim().to_lowercase());
        let int = |name: &str| entry.value(name).and_then(|value| value.as_int());
        let currency = text("currency");
        let amount = int("amount").filter(|_| currency.is_some());
        let (id, facts) = (entry.id, &mut self.facts);
        match entry.collection {
            Collection::Interactions => {
                let written = self.authors.of(entry, "kind");
                facts.interactions.insert(
                    id,
                    Interaction {
                        kind: text("kind").unwrap_or_default(),
                        at: int("at").unwrap_or(0),
                        by: written.map(|(by, _)| by),
                        outcome: text("outcome"),
                        nps: int("nps").filter(|answer| (0..=10).contains(answer)),
                        comment: text("comment"),
                    },
                );
            }
            Collection::Purchases => {
                facts.purchases.insert(id, Purchase { date: text("date"), amount, currency });
            }
            Collection::Deals => {
                facts.deals.insert(
                    id,
                    Deal {
                        title: text("title").unwrap_or_default(),
                        stage: text("stage").unwrap_or_default(),
                        amount,
                        currency,
                        probability: int("probability"),
                        expected_close: text("expected_close"),
                        lost_reason: text("lost_reason"),
                        entered_at: self.authors.of(entry, "stage").map_or(0, |(_, at)| at),
                        archived: false,
                    },
                );
            }
            Collection::Tasks => {
                facts.tasks.insert(
                    id,
                    Task {
                        due: text("due"),
                        done: entry.value("done") == Some(Value::Bool(true)),
                        done_at: int("done_at"),
                    },
                );
            }
            Collection::Consents => {
                facts.consents.insert(
                    id,
                    Consent {
                        channel: word("channel").unwrap_or_default(),
                        purpose: word("purpose").unwrap_or_default(),
                        given: word("state").as_deref() == Some("given"),
                        at: int("at").unwrap_or(0),
                    },
                );
            }
            _ => {}
        }
    }
}

/// Who wrote a value, and when they claim to have. The messages of all changes are fetched at once,
/// and only if somebody asks.
struct Authors<'d> {
    doc: &'d Automerge,
    messages: Option<HashMap<ChangeHash, Option<(UserId, UnixMs)>>>,
}

impl<'d> Authors<'d> {
    fn new(doc: &'d Automerge) -> Self {
        Self { doc, messages: None }
    }

    fn of(&mut self, entry: &FoundEntry<'_, '_>, field: &str) -> Option<(UserId, UnixMs)> {
        let doc = self.doc;
        let found = entry.fields.iter().find(|found| found.key == field)?;
        let hash = doc.hash_for_opid(&found.op())?;
        let messages = self.messages.get_or_insert_with(|| {
            doc.get_changes_meta(&[])
                .into_iter()
                .map(|meta| {
                    let message = meta.message.as_deref().map(ChangeMessage::parse);
                    (meta.hash, message.and_then(Result::ok).map(|said| (said.by, said.at)))
                })
                .collect()
        });
        *messages.get(&hash)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Applied, Author, Command, EditOptions, new_document};
    use crate::ids::Actor;
    use crate::limits::Limits;

    fn put(collection: Collection, id: u8, fields: &[(&str, Value)]) -> Command {
        let fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
        Command::Put { collection, id: EntryId::from_bytes([id; 16]), fields }
    }

    fn edit(doc: &mut Automerge, by: u8, at: UnixMs, commands: &[Command]) {
        let author = Author { by: UserId::from_bytes([by; 16]), at };
        let actor = Actor::from_bytes([by; 16]);
        let options = EditOptions::default();
        let done =
            document::apply(doc, actor, commands, &author, &options, &Limits::DEFAULT).unwrap();
        assert!(matches!(done, Applied::Change { .. }));
    }

    #[test]
    fn visits_have_their_author_and_deals_the_moment_of_their_stage() {
        let mut doc = new_document();
        let deal = |stage: &str| {
            put(
                Collection::Deals,
                1,
                &[
                    ("title", "Press".into()),
                    ("stage", stage.into()),
                    ("amount", 1200.into()),
                    ("currency", "EUR".into()),
                ],
            )
        };
        edit(&mut doc, 1, 10, &[deal("lead")]);
        let visit = put(
            Collection::Interactions,
            2,
            &[("kind", "visit".into()), ("at", 15.into()), ("outcome", "Order".into())],
        );
        edit(&mut doc, 2, 20, &[visit]);
        let before = doc.get_heads();
        edit(&mut doc, 3, 30, &[deal("offer")]);
        let facts = facts(&doc);
        let deal = &facts.deals[&EntryId::from_bytes([1; 16])];
        assert_eq!((deal.stage.as_str(), deal.entered_at, deal.amount), ("offer", 30, Some(1200)));
        let visit = &facts.interactions[&EntryId::from_bytes([2; 16])];
        assert_eq!((visit.at, visit.by), (15, Some(UserId::from_bytes([2; 16]))));
        let all = moves(&doc, &[]);
        let told: Vec<_> = all.iter().map(|one| (one.stage.as_str(), one.at)).collect();
        assert_eq!(told.len(), 2);
        assert!(told.contains(&("lead", 10)) && told.contains(&("offer", 30)), "{told:?}");
        let later = moves(&doc, &before);
        assert_eq!(later.len(), 1);
        assert_eq!(later[0].stage, "offer");
    }

    #[test]
    fn what_was_removed_is_not_counted() {
        let mut doc = new_document();
        let bought =
            [("date", "2026-01-02".into()), ("amount", 500.into()), ("currency", "EUR".into())];
        edit(&mut doc, 1, 1, &[put(Collection::Purchases, 1, &bought)]);
        let id = EntryId::from_bytes([1; 16]);
        assert_eq!(facts(&doc).purchases[&id].amount, Some(500));
        edit(&mut doc, 1, 2, &[Command::Remove { collection: Collection::Purchases, id }]);
        assert!(facts(&doc).purchases.is_empty());
    }
}
