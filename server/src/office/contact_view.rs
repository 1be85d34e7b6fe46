//! What a contact's page shows, section by section.

use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, FieldSpec};
use roadbook_protocol::document::{
    Collection, Conflict, Contact, CustomField, Entry, HistoryItem, Value,
};
use roadbook_protocol::ids::{UnixMs, UserId};

use super::fields::{self, Sheet};
use super::layout::{self, Shape};
use super::{timeline, versus, words};
use crate::rights::{Action, Decision};
use crate::store::people::User;

/// The page is one contact with its changes.
pub(super) struct View<'a> {
    pub sheet: Sheet<'a>,
    pub contact: &'a Contact,
    pub conflicts: &'a [Conflict],
    pub history: &'a [HistoryItem],
    pub owner: Option<UserId>,
    /// Who could be the owner.
    pub people: &'a [User],
    /// The custom fields that the workspace has defined.
    pub defined: &'a [CustomField],
    /// Whether the viewer may give it to somebody.
    pub steers: bool,
    /// The heads that the page was read at: the note is edited against them.
    pub heads: String,
    pub now: UnixMs,
    /// When the server last merged a change of this contact.
    pub merged_at: Option<UnixMs>,
}

/// A card and the root fields in it.
struct Group {
    /// Its name in the page; `contact-` before it is the message of its title.
    id: &'static str,
    fields: &'static [&'static str],
    /// The collections whose entries it shows, and what adding one is called.
    lists: &'static [(Collection, &'static str)],
}

const IDENTITY: Group = Group {
    id: "identity",
    fields: &[
        "kind",
        "title",
        "given_name",
        "family_name",
        "company",
        "job_title",
        "industry",
        "website",
        "legal_name",
        "tax_id",
        "registration_id",
        "legal_address",
        "opening_hours",
    ],
    lists: &[],
};
const REACH: Group = Group {
    id: "reach",
    fields: &[
        "preferred_channel",
        "best_time_to_call",
        "language",
        "time_zone",
        "fax",
        "latitude",
        "longitude",
    ],
    lists: &[
        (Collection::Phones, "phone"),
        (Collection::Emails, "email"),
        (Collection::Addresses, "address"),
        (Collection::Messengers, "messenger"),
    ],
};
const STANDING: Group = Group {
    id: "standing",
    fields: &["status", "category", "temperature", "source", "archived"],
    lists: &[],
};
const PLAN: Group = Group {
    id: "plan",
    fields: &["next_visit", "cadence_days"],
    lists: &[(Collection::Tasks, "task")],
};
const BUSINESS: Group = Group {
    id: "business",
    fields: &["price_conditions"],
    lists: &[(Collection::Deals, "deal"), (Collection::Purchases, "purchase")],
};
const PERSONAL: Group = Group {
    id: "personal",
    fields: &["birthday", "professional_holiday", "personal_note"],
    lists: &[],
};
const RIGHTS: Group = Group {
    id: "rights",
    fields: &["do_not_contact", "legal_basis"],
    lists: &[(Collection::Consents, "consent")],
};

impl View<'_> {
    pub(super) fn render(&self) -> Markup {
        html! {
            (self.head())
            (self.conflicts())
            div.two {
                div.stack {
                    (self.group(&IDENTITY, html! {}))
                    (self.group(&REACH, self.reach()))
                    (self.group(&STANDING, self.standing()))
                    (self.group(&BUSINESS, self.business()))
                    (self.group(&PERSONAL, html! {}))
                    (self.group(&RIGHTS, self.consents()))
                    (self.externals())
                }
                div.stack {
                    (self.log_form())
                    (self.group(&PLAN, self.tasks()))
                    (self.note())
                    (timeline::interactions(&self.sheet, self.contact))
                    (timeline::changes(&self.sheet, self.history))
                }
            }
        }
    }

    fn head(&self) -> Markup {
        let contact = self.contact;
        let work = [contact.text("job_title"), contact.text("company")]
            .into_iter()
            .filter(|text| !text.is_empty() && *text != contact.display_name)
            .collect::<Vec<_>>()
            .join(", ");
        let town = contact
            .addresses
            .iter()
            .map(|address| address.text("city"))
            .find(|city| !city.is_empty());
        let authors = self.sheet.authors.is_some();
        let page = format!("/contacts/{}", contact.id);
        html! {
            header.head {
                p.crumb { a href="/contacts" { (t!("contacts")) } }
                (layout::unit("head", html! {
                    div.tight {
                        div.bar {
                            h1 { (contact.display_name) }
                            (status_chip(contact.text("status")))
                            @if !contact.text("category").is_empty() { span.chip.brand { (contact.text("category")) } }
                            @if contact.fields.get("do_not_contact").and_then(Value::as_bool) == Some(true) {
                                span.chip.stop { (t!("contact-do-not")) }
                            }
                            @if contact.fields.get("archived").and_then(Value::as_bool) == Some(true) { span.chip { (t!("contact-archived")) } }
                            @if !self.conflicts.is_empty() {
                                a.chip.wait href="#conflicts" { (t!("n-conflicts", n = self.conflicts.len() as u64)) }
                            }
                        }
                        p.k {
                            @if !work.is_empty() { (work) " · " }
                            @if let Some(town) = town { (town) " · " }
                            @match self.owner { Some(owner) => (rich!("contact-owner"; name = html! { b { (self.sheet.names.of(owner)) } })), None => (t!("contact-no-owner")) }
                        }
                    }
                }))
                div.bar {
                    (layout::live_chip())
                    @if let Some(at) = self.merged_at { span.asof { (rich!("contact-merged"; time = layout::time(at, Shape::Full))) } }
                    span.grow {}
                    @if self.steers { (self.assign_form()) }
                    @if authors {
                        a.btn.small href=(page) { (t!("contact-hide-who")) }
                    } @else {
                        a.btn.small href={ (page) "?authors=1" } { (t!("contact-who")) }
                    }
                }
            }
        }
    }

    fn gives_to(&self, user: &User) -> bool {
        self.sheet.viewer.rights.on_person(Action::GiveTo, user.id) == Decision::Allow
    }

    fn assign_form(&self) -> Markup {
        let content = html! {
            form.inline method="post" action=(self.sheet.action("assign")) data-in-place {
                (layout::csrf(self.sheet.viewer))
                label.vh for="owner" { (t!("owner")) }
                select.small #owner name="owner" {
                    option value="" selected[self.owner.is_none()] { (t!("contact-no-owner-choice")) }
                    @for user in self.people.iter().filter(|user| (user.disabled_at.is_none() && self.gives_to(user)) || Some(user.id) == self.owner) {
                        option value=(user.id) selected[Some(user.id) == self.owner] { (user.name) }
                    }
                }
                button.btn.small { (t!("assign")) }
            }
        };
        layout::unit("assign", content)
    }

    fn conflicts(&self) -> Markup {
        layout::unit(
            "conflicts",
            html! {
                @if !self.conflicts.is_empty() {
                    section.card.stack aria-labelledby="conflicts-title" {
                        div.bar {
                            h2 #conflicts-title { (t!("today-to-decide")) }
                            span.k { (t!("contact-both-sides")) }
                        }
                        @for conflict in self.conflicts { (versus::on_contact(&self.sheet, conflict)) }
                    }
                }
            },
        )
    }

    /// Which fields and entries a card shows: while that is so, each changes on its own.
    fn shape(&self, group: &Group) -> String {
        let entries =
            group.lists.iter().flat_map(|(collection, _)| self.contact.entries(*collection));
        let mut shape: String = entries.map(|entry| entry.id.to_string()).collect();
        for name in group.fields.iter().filter(|name| self.contact.fields.contains_key(**name)) {
            shape.push_str(name);
        }
        if group.id == STANDING.id {
            for word in self.contact.tags.iter().chain(self.contact.custom.keys()) {
                shape.push('\n');
                shape.push_str(word);
            }
        }
        shape
    }

    /// A card: the fields that are set, then what is special to it, then the rest. It is swapped as
    /// a whole only when other fields or entries are set (its shape) than before: a value that
    /// changes swaps its own field and leaves those alone in which somebody writes.
    fn group(&self, group: &Group, special: Markup) -> Markup {
        let specs: Vec<&FieldSpec> =
            group.fields.iter().filter_map(|name| schema::field(name)).collect();
        let (set, unset): (Vec<_>, Vec<_>) =
            specs.into_iter().partition(|spec| self.contact.fields.contains_key(spec.name));
        let title = format!("{}-title", group.id);
        let rest = format!("{}-rest", group.id);
        let content = html! {
            div.bar { h2 id=(title) { (words::text_or("contact", group.id, || group.id.to_owned())) } }
            @for spec in &set { (self.sheet.scalar(spec, self.contact.fields.get(spec.name))) }
            (special)
            @if self.sheet.viewer.edits() {
                div.adds {
                    @for (collection, what) in group.lists { (self.sheet.add(collection.name(), collection.fields(), &words::text_or("contact-add", what, || (*what).to_owned()))) }
                    @if !unset.is_empty() {
                        details.more id=(rest) {
                            summary { "+ " (t!("contact-empty-fields", n = unset.len() as u64)) }
                            div { @for spec in &unset { (self.sheet.scalar(spec, None)) } }
                        }
                    }
                }
            }
        };
        let rev = layout::rev(&html! { (self.shape(group)) });
        html! { section.card id=(group.id) aria-labelledby=(title) data-live=(group.id) data-rev=(rev) { (content) } }
    }

    fn entries(
        &self,
        collection: Collection,
        summary: impl Fn(&Entry) -> (String, Markup),
    ) -> Markup {
        html! {
            @for entry in self.contact.entries(collection) {
                @let (label, text) = summary(entry);
                (self.sheet.entry(collection.name(), collection.fields(), entry, &label, text))
            }
        }
    }

    fn reach(&self) -> Markup {
        let labelled = |entry: &Entry, or: &str| match entry.text("label") {
            "" => or.to_owned(),
            label => format!("{or}, {label}"),
        };
        html! {
            (self.entries(Collection::Phones, |entry| {
                (labelled(entry, &versus::noun(Collection::Phones)), html! { (entry.text("number")) })
            }))
            (self.entries(Collection::Emails, |entry| {
                (labelled(entry, &versus::noun(Collection::Emails)), html! { (entry.text("address")) })
            }))
            (self.entries(Collection::Addresses, |entry| {
                let place = [entry.text("postal_code"), entry.text("city")].join(" ");
                let lines = [entry.text("street"), place.trim(), entry.text("region"), entry.text("country")];
                let shown = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
                (labelled(entry, &versus::noun(Collection::Addresses)), html! { (shown) })
            }))
            (self.entries(Collection::Messengers, |entry| {
                (labelled(entry, entry.text("service")), html! { (entry.text("handle")) })
            }))
        }
    }

    fn standing(&self) -> Markup {
        let sheet = &self.sheet;
        let edits = sheet.viewer.edits();
        html! {
            @for field in self.defined { (sheet.custom(&field.name, Some(field), self.contact.custom.get(&field.name))) }
            @for (name, value) in self.contact.custom.iter().filter(|(name, _)| self.defined.iter().all(|field| field.name != **name)) {
                (sheet.custom(name, None, Some(value)))
            }
            dl.plain {
                dt { (t!("tags")) }
                dd {
                    div.tags {
                        @for tag in &self.contact.tags {
                            span.chip {
                                (tag)
                                @if edits { form method="post" action=(sheet.action("untag")) data-in-place {
                                    (layout::csrf(sheet.viewer))
                                    input type="hidden" name="tag" value=(tag);
                                    button.tag-x aria-label=(t!("contact-remove-tag", tag = tag.as_str())) { "×" }
                                } }
                            }
                        }
                        @if edits { form.tag-add method="post" action=(sheet.action("tag")) data-in-place {
                            (layout::csrf(sheet.viewer))
                            label.vh for="tag" { (t!("contact-new-tag")) }
                            input #tag name="tag" placeholder=(t!("contact-add-tag")) required maxlength="100" autocomplete="off";
                            button.btn.small { (t!("add")) }
                        } } @else if self.contact.tags.is_empty() { "–" }
                    }
                }
            }
        }
    }

    fn business(&self) -> Markup {
        html! {
            (self.entries(Collection::Deals, |deal| {
                let stage = deal.text("stage");
                let kind = match stage { "won" => "ok", "lost" => "stop", _ => "info" };
                (versus::noun(Collection::Deals), html! {
                    (deal.text("title"))
                    @if let Some(amount) = deal.int("amount") { " · " b { (layout::money(amount, deal.text("currency"))) } }
                    @if !stage.is_empty() { " " span class={ "chip " (kind) } { (fields::word(stage)) } }
                    @if !deal.text("expected_close").is_empty() { span.asof.by { (rich!("contact-expected"; date = layout::date(deal.text("expected_close")))) } }
                })
            }))
            (self.entries(Collection::Purchases, |purchase| {
                (versus::noun(Collection::Purchases), html! {
                    (layout::date(purchase.text("date")))
                    @if let Some(amount) = purchase.int("amount") { " · " b { (layout::money(amount, purchase.text("currency"))) } }
                    span.k { " " (purchase.text("product")) " " (purchase.text("external_id")) }
                })
            }))
        }
    }

    fn tasks(&self) -> Markup {
        self.entries(Collection::Tasks, |task| {
            let done = task.fields.get("done").and_then(Value::as_bool) == Some(true);
            let due = task.text("due");
            let late = !done && !due.is_empty() && due < day(self.now).as_str();
            (if done { words::text_or("field", "done", String::new) } else { versus::noun(Collection::Tasks) }, html! {
                span.done[done] { (task.text("text")) }
                @if !due.is_empty() {
                    " " @if late { span.chip.stop { (rich!("contact-due"; date = layout::date(due))) } } @else { span.k { (rich!("contact-due"; date = layout::date(due))) } }
                }
            })
        })
    }

    fn consents(&self) -> Markup {
        self.entries(Collection::Consents, |consent| {
            (fields::word(consent.text("channel")), html! {
                @if consent.text("purpose").is_empty() { (fields::word(consent.text("state"))) }
                @else { (t!("contact-consent-for", state = fields::word(consent.text("state")), purpose = consent.text("purpose"))) }
                @if let Some(at) = consent.int("at") { span.asof.by { (layout::time(at, Shape::Full)) " " (consent.text("how")) } }
            })
        })
    }

    fn externals(&self) -> Markup {
        layout::unit(
            "externals",
            html! {
                @if !self.contact.external_ids.is_empty() {
                    section.card aria-labelledby="externals-title" {
                        h2 #externals-title { (t!("contact-systems")) }
                        dl.plain { @for (system, id) in &self.contact.external_ids { dt { (system) } dd.mono { (id) } } }
                    }
                }
            },
        )
    }

    fn log_form(&self) -> Markup {
        let sheet = &self.sheet;
        if !sheet.viewer.edits() {
            return html! {};
        }
        html! {
            section.card aria-labelledby="log-title" {
                div.bar { h2 #log-title { (t!("contact-log")) } }
                form.tight method="post" action=(sheet.action("log")) data-in-place {
                    (layout::csrf(sheet.viewer))
                    input type="hidden" name="utc_offset_min" value="0";
                    div.fields {
                        div { label for="log-kind" { (words::text_or("field", "kind", String::new)) }
                            select #log-kind name="kind" { @for kind in schema::INTERACTIONS { option value=(kind) { (fields::word(kind)) } } } }
                        div { label for="log-at" { (t!("when")) } input #log-at type="datetime-local" name="at"; }
                        div.wide { label for="log-summary" { (words::text_or("field", "summary", String::new)) }
                            textarea #log-summary name="summary" rows="2" required placeholder=(t!("contact-log-hint")) {} }
                    }
                    div.bar { button.btn.go.small { (t!("contact-log-it")) } span.hint { (t!("contact-log-now")) } }
                }
            }
        }
    }

    fn note(&self) -> Markup {
        let sheet = &self.sheet;
        let content = html! {
            div.bar { h2 #note-title { (fields::word("note")) } span.grow {} (sheet.by("note")) }
            @if !sheet.viewer.edits() { p.pre { (self.contact.note) } }
            @else { form.tight method="post" action=(sheet.action("note")) data-in-place {
                (layout::csrf(sheet.viewer))
                input type="hidden" name="base" value=(self.heads);
                label.vh for="note" { (fields::word("note")) }
                textarea #note name="note" rows=(rows(&self.contact.note)) placeholder=(t!("contact-note-hint")) { "\n" (self.contact.note) }
                div.bar { button.btn.small { (t!("contact-save-note")) } }
            } }
        };
        // The heads in the form change with every edit; the unit only with the note itself.
        let rev = layout::rev(&html! { (self.contact.note) (sheet.by("note")) });
        html! { section.card #note-card aria-labelledby="note-title" data-live="note-card" data-rev=(rev) { (content) } }
    }
}

/// The chip of a status.
pub(super) fn status_chip(status: &str) -> Markup {
    let kind = match status {
        "" => return html! {},
        "customer" | "partner" => "ok",
        "lead" | "prospect" => "info",
        "lost" => "stop",
        _ => "",
    };
    html! { span class={ "chip " (kind) } { (fields::word(status)) } }
}

fn rows(text: &str) -> usize {
    let lines: usize = text.lines().map(|line| 1 + line.chars().count() / 60).sum();
    lines.clamp(4, 16)
}

fn day(now: UnixMs) -> String {
    chrono::DateTime::from_timestamp_millis(now)
        .map_or(String::new(), |utc| utc.format("%Y-%m-%d").to_string())
}
