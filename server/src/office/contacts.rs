//! The list of contacts: search as you type, the one filter grammar, views, columns, an end that moves on.
//!
//! Reads the projection table and the full-text index, never a document. What is found is `find`'s.

use axum::extract::{Query, State};
use maud::{Markup, html};
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::{ContactId, UnixMs};
use roadbook_protocol::projection;
use rusqlite::Connection;
use serde::Deserialize;

use super::columns::{Column, Columns};
pub(super) use super::contacts_find::{Found, Total, exact, find, ids};
use super::contacts_find::{RANKED_MAX, SORTS, Sort, WINDOW_ROWS};
use super::error::OfficeError;
use super::fields;
use super::layout::{self, Page, Place};
use super::session::Viewer;
use super::{OfficeState, bulk, url, views};
use crate::engine::Reading;
use crate::rights::Rights;
use crate::store;
use crate::store::people::User;
use crate::store::views::{self as saved, View};

/// What stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Address {
    q: Option<String>,
    filter: Option<String>,
    sort: Option<String>,
    #[serde(default)]
    view: String,
    #[serde(default)]
    after: String,
    rows: Option<u64>,
    #[serde(default)]
    only: String,
}

/// What is asked for: what the address says, and else the view that is open.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    q: String,
    filter: String,
    sort: String,
    after: String,
    rows: Option<u64>,
    only: String,
    /// The view that is open.
    view: Option<View>,
    columns: Columns,
}

impl Ask {
    /// The list of a filter.
    pub(super) fn of(filter: &str) -> Ask {
        Ask { filter: filter.to_owned(), ..Ask::default() }
    }

    /// The list of a search and a filter.
    pub(super) fn found_by(q: &str, filter: &str) -> Ask {
        Ask { q: q.to_owned(), filter: filter.to_owned(), ..Ask::default() }
    }

    /// What an address asks for; `own` are the columns that its reader wants.
    fn read(address: Address, views: &[View], own: Option<&str>) -> Ask {
        let view = views.iter().find(|view| views::id_text(view) == address.view).cloned();
        let or = |given: Option<String>, of: fn(&View) -> &String| {
            given.or_else(|| view.as_ref().map(|view| of(view).clone())).unwrap_or_default()
        };
        let columns =
            view.as_ref().map(|view| view.columns.as_str()).filter(|text| !text.is_empty());
        Ask {
            q: or(address.q, |view| &view.q),
            filter: or(address.filter, |view| &view.filter),
            sort: or(address.sort, |view| &view.sort),
            after: address.after,
            rows: address.rows,
            only: address.only,
            columns: Columns::read(columns.or(own).unwrap_or_default()),
            view,
        }
    }

    /// What is searched for.
    pub(super) fn q(&self) -> &str {
        &self.q
    }

    /// The filter.
    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    /// The name of the order.
    pub(super) fn sort(&self) -> &str {
        &self.sort
    }

    /// Where the window begins.
    pub(super) fn after(&self) -> &str {
        &self.after
    }

    /// How many rows the page has that is read again.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// The ids of rows that are read alone.
    pub(super) fn only(&self) -> &str {
        &self.only
    }

    /// The view that is open.
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// The columns.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether something else is asked for than the open view says.
    pub(super) fn is_changed(&self) -> bool {
        self.view.as_ref().is_some_and(|view| {
            (&view.q, &view.filter, &view.sort) != (&self.q, &self.filter, &self.sort)
        })
    }

    /// The address of this list from its beginning.
    pub(super) fn start(&self) -> String {
        self.address(&self.sort, "")
    }

    /// The address of this list with another order or window.
    fn address(&self, sort: &str, after: &str) -> String {
        let sort = if sort == SORTS[0].name { "" } else { sort };
        let Some(view) = &self.view else {
            let pairs =
                [("q", &*self.q), ("filter", &self.filter), ("sort", sort), ("after", after)];
            return url::with("/contacts", &pairs);
        };
        // Only what differs from the view: its address stays its own, whatever it is changed to.
        let mut address = url::with("/contacts", &[("view", &views::id_text(view))]);
        let view_sort = if view.sort == SORTS[0].name { "" } else { &view.sort };
        let pairs = [
            ("q", &*self.q, &*view.q),
            ("filter", &self.filter, &view.filter),
            ("sort", sort, view_sort),
            ("after", after, ""),
        ];
        for (name, value, _) in pairs.iter().filter(|(_, value, of)| value != of) {
            address.push_str(&format!("&{name}={}", url::encode(value)));
        }
        address
    }

    /// What tells this list from others: rows of one are no rows of another.
    fn key(&self) -> String {
        layout::rev(&html! { (self.start()) " " (self.after) " " (self.columns.text()) })
    }
}

/// One row of the list.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: ContactId,
    pub(super) name: String,
    pub(super) company: Option<String>,
    pub(super) status: Option<String>,
    pub(super) category: Option<String>,
    pub(super) city: Option<String>,
    pub(super) country: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) last_contact_at: Option<UnixMs>,
    pub(super) next_visit: Option<String>,
    pub(super) next_due: Option<String>,
    pub(super) conflicts: u32,
    /// The whole row, where a column needs it.
    pub(super) row: Option<Box<projection::Row>>,
}

impl Line {
    /// The contact.
    pub(super) fn id(&self) -> ContactId {
        self.id
    }

    /// What the contact is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// City and country.
    pub(super) fn town(&self) -> String {
        let parts = [self.city.as_deref(), self.country.as_deref()];
        let parts = parts.into_iter().flatten().filter(|text| !text.is_empty());
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The row; with a box to choose it by if `picks`.
    pub(super) fn render(&self, columns: &Columns, picks: bool) -> Markup {
        let company = self.company.as_deref().filter(|company| *company != self.name);
        let content = html! {
            @if picks { td.pick { input type="checkbox" name="pick" value=(self.id) form="bulk" aria-label=(t!("bulk-choose", name = self.name.as_str())); } }
            th scope="row" {
                a.name href={ "/contacts/" (self.id) } { (self.name) }
                @if self.conflicts > 0 {
                    " " span.chip.wait { (t!("n-conflicts", n = self.conflicts)) }
                }
                @if let Some(company) = company { div.k { (company) } }
                div.narrow.k { (self.narrow(columns)) }
            }
            @for column in columns.iter() { td class=(column.class()) { (column.cell(self)) } }
        };
        html! { tr id={ "c-" (self.id) } data-rev=(layout::rev(&content)) { (content) } }
    }

    /// What stands under the name where there is no room for columns.
    fn narrow(&self, columns: &Columns) -> Markup {
        if !columns.are_usual() {
            let shown = columns.iter().filter(|column| **column != Column::Contacted);
            return html! { @for column in shown { div { (column.label()) ": " (column.cell(self)) } } };
        }
        let status = self.status.as_deref().filter(|text| !text.is_empty()).map(fields::word);
        let town = self.town();
        let parts = [Some(town.as_str()), status.as_deref(), self.owner.as_deref()];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        html! { (parts.collect::<Vec<_>>().join(" · ")) }
    }
}

/// What the page shows beside the list.
struct Beside {
    receivers: Vec<User>,
    views: Vec<View>,
}

fn read(
    conn: &Connection,
    rights: &Rights,
    viewer: &Viewer,
    address: Address,
) -> store::Result<(Ask, Beside)> {
    let (workspace, user) = (viewer.workspace, viewer.user);
    let views = saved::visible(conn, workspace, user)?;
    let own = saved::columns(conn, workspace, user)?;
    let ask = Ask::read(address, &views, own.as_deref());
    let receivers = if viewer.edits() { bulk::receivers(conn, rights)? } else { Vec::new() };
    Ok((ask, Beside { receivers, views }))
}

/// `GET /contacts`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(address): Query<Address>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let (rights, reader) = (viewer.rights.clone(), viewer.clone());
    let (ask, found, beside) = state
        .engine_do(move |engine| {
            // Which filter it is, a view may say; and a filter of classes has them looked after first.
            let (ask, beside) = engine.read(|conn| read(conn, &rights, &reader, address))?;
            if Filter::parse(&ask.filter).is_ok_and(|filter| filter.mentions_classes()) {
                engine.refresh_standings(rights.workspace)?;
            }
            let found =
                engine.read(|conn| find(conn, &rights, &ask, ask.columns.need_rows(), now))?;
            Ok((ask, found, beside))
        })
        .await?;
    let shown = found.lines.iter().map(Line::id).collect();
    state.take(&viewer, Reading::List, shown).await?;
    let page = Page {
        viewer: &viewer,
        title: &ask.view().map_or_else(|| t!("contacts"), |view| view.name.clone()),
        place: Some(Place::Contacts),
        to_decide: found.to_decide,
        cursor: Some(found.cursor),
        contact: None,
        body: render(&viewer, &ask, &found, &beside, now),
    };
    Ok(page.render())
}

fn render(viewer: &Viewer, ask: &Ask, found: &Found, beside: &Beside, now: UnixMs) -> Markup {
    let problem = found.problem.as_deref();
    html! {
        div.bar {
            h1 { @match ask.view() { Some(view) => (view.name), None => (t!("contacts")) } }
            (layout::unit("view-changed", html! { @if ask.is_changed() { span.chip { (t!("views-changed")) } } }))
            (layout::live_chip())
            (layout::unit("asof", layout::as_of(now)))
            span.grow {}
            (views::menu(viewer, ask, &beside.views))
            (views::columns_form(viewer, ask, found))
            @if viewer.edits() { (new_contact(viewer)) }
        }
        form.find action="/contacts" role="search" data-find {
            div.kbd { label for="q" { (t!("contacts-search")) }
                input #q type="search" name="q" value=(ask.q) placeholder=(t!("contacts-search-hint")) autocomplete="off" spellcheck="false"; kbd aria-hidden="true" { "/" } }
            div { label for="filter" { (t!("filter")) }
                input #filter name="filter" value=(ask.filter) placeholder="status:customer city:Berlin contacted:>60d" autocomplete="off" spellcheck="false" autocapitalize="none" aria-describedby="filter-problem"; }
            div { label for="sort" { (t!("contacts-order")) }
                select #sort name="sort" { @for sort in &SORTS { option value=(sort.name) selected[sort.name == ask.sort] { (sort.called()) } } } }
            button.btn { (t!("contacts-find")) }
            @if let Some(view) = ask.view() { input type="hidden" name="view" value=(views::id_text(view)); }
        }
        (layout::unit("problem", html! {
            @match problem {
                Some(problem) => {
                    @let (text, names) = problem.split_once(" Names are:").map_or((problem, None), |(text, names)| (text, Some(names)));
                    div.notice.stop #filter-problem role="alert" {
                        p { (text) }
                        @if let Some(names) = names { details { summary { (t!("contacts-all-names")) } p { (names) } } }
                    }
                },
                None => p.hint #filter-problem { (rich!("contacts-try"; a = try_filter("contacted:>60d"), b = try_filter("conflicts:>0"), c = try_filter("due:overdue"), d = try_filter("owner:none"))) },
            }
        }))
        @if viewer.edits() { (bulk::form(viewer, &beside.receivers, ask, found.total)) }
        (results(ask, found, viewer.edits()))
    }
}

fn try_filter(filter: &str) -> Markup {
    html! { a.mono href=(url::with("/contacts", &[("filter", filter)])) { (filter) } }
}

/// A heading, which leads to the order of its column where there is one.
fn heading(ask: &Ask, column: &Column) -> Markup {
    let sort = column.sort().map(Sort::named);
    let sorted = sort.filter(|sort| sort.name == ask.sort);
    let direction =
        sorted.map(|sort| if sort.is_descending() { "descending" } else { "ascending" });
    html! {
        th class=(column.class()) scope="col" aria-sort=[direction] {
            @match sort { Some(sort) => a href=(ask.address(sort.name, "")) { (column.label()) }, None => (column.label()) }
        }
    }
}

/// What a list came to; with boxes to choose contacts by if `picks`. The rows are no part of what makes it
/// another list: the script swaps them one by one.
pub(super) fn results(ask: &Ask, found: &Found, picks: bool) -> Markup {
    let total = match found.total {
        Total::Exactly(n) => t!("n-contacts", n = n),
        Total::MoreThan(n) => t!("contacts-more-than", n = n),
    };
    let asked = !ask.q.trim().is_empty() || !ask.filter.trim().is_empty();
    let columns = &ask.columns;
    let wide = columns.iter().count() > 6;
    let head = html! {
        tr {
            @if picks { th.pick scope="col" { input type="checkbox" data-pick-all hidden aria-label=(t!("bulk-choose-all")); } }
            th scope="col" aria-sort=[(ask.sort.is_empty() || ask.sort == SORTS[0].name).then_some("ascending")] { a href=(ask.address("", "")) { (t!("contact")) } }
            @for column in columns.iter() { (heading(ask, column)) }
        }
    };
    let empty = html! {
        @if found.lines.is_empty() {
            @if asked {
                (layout::empty(&t!("nothing-fits"), html! { (rich!("contacts-none-fit-text"; link = html! { a href="/contacts" { (t!("contacts-see-all")) } })) }))
            } @else if ask.after.is_empty() {
                (layout::empty(&t!("contacts-none"), html! { (rich!("contacts-none-text"; command = html! { span.mono { "roadbook-server import FILE --owner LOGIN" } })) }))
            }
        }
    };
    let table = html! {
        table {
            caption.vh { (t!("contacts")) }
            thead { (head) }
            tbody #rows data-rows=(ask.key()) data-window=(WINDOW_ROWS) { @for line in &found.lines { (line.render(columns, picks)) } }
        }
    };
    let content = html! {
        @if found.problem.is_none() { section.card.list aria-labelledby="count" {
            @if wide { div.scroll tabindex="0" role="region" aria-label=(t!("contacts")) { (table) } } @else { (table) }
            (empty)
            nav.pager aria-label=(t!("pages")) {
                (layout::unit("count-unit", html! { span.k #count role="status" {
                    @if asked { (t!("contacts-of", part = total, all = found.base)) } @else { (total) }
                    @if found.cut { (t!("contacts-cut", n = RANKED_MAX)) }
                } }))
                div.bar {
                    @if !ask.after.is_empty() { a.btn.small href=(ask.start()) rel="first" { (t!("list-start")) } }
                    @if let Some(next) = &found.next { a.btn.small #more href=(ask.address(&ask.sort, next)) rel="next" { (t!("list-more")) } }
                }
            }
        } }
    };
    let rev = layout::rev(&html! { (head) (empty) (ask.key()) (found.problem.is_some()) });
    html! { div #results data-live="results" data-rev=(rev) { (content) } }
}

fn new_contact(viewer: &Viewer) -> Markup {
    html! {
        details.new #new {
            summary.btn.go { (t!("contacts-new")) }
            form.card.tight method="post" action="/contacts" {
                (layout::csrf(viewer))
                div.fields {
                    @for (name, label, kind) in [("name", t!("contacts-name"), "text"), ("company", t!("contacts-company"), "text"), ("phone", t!("contacts-phone"), "tel"), ("email", t!("contacts-email"), "email"), ("city", t!("contacts-city"), "text")] {
                        div { label for={ "new-" (name) } { (label) } input id={ "new-" (name) } name=(name) type=(kind) autocomplete="off"; }
                    }
                }
                div.bar { button.btn.go { (t!("contacts-create")) } span.hint { (t!("contacts-no-owner-yet")) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadbook_protocol::ids::UserId;

    #[test]
    fn addresses_keep_what_was_asked() {
        let ask = Ask {
            q: "ø & co".into(),
            filter: "status:lead".into(),
            sort: "touched".into(),
            ..Ask::default()
        };
        assert_eq!(
            ask.address("touched", "i4.2"),
            "/contacts?q=%C3%B8+%26+co&filter=status%3Alead&sort=touched&after=i4.2"
        );
        assert_eq!(ask.address("name", ""), "/contacts?q=%C3%B8+%26+co&filter=status%3Alead");
    }

    #[test]
    fn an_address_of_a_view_says_what_differs_from_it() {
        let view = View {
            id: [7; 16],
            name: "Mine".into(),
            q: String::new(),
            filter: "status:lead".into(),
            sort: "touched".into(),
            columns: "owner,tags".into(),
            owner: UserId::from_bytes([1; 16]),
            shared: false,
        };
        let id = "07".repeat(16);
        let open = |filter: Option<&str>| {
            let filter = filter.map(str::to_owned);
            let address = Address { view: id.clone(), filter, ..Address::default() };
            Ask::read(address, std::slice::from_ref(&view), Some("city"))
        };
        let plain = open(None);
        assert_eq!(
            (plain.filter(), plain.sort(), plain.columns().text().as_str()),
            ("status:lead", "touched", "owner,tags")
        );
        assert_eq!(plain.start(), format!("/contacts?view={id}"));
        assert!(!plain.is_changed());
        let emptied = open(Some(""));
        assert!(emptied.is_changed());
        assert_eq!(emptied.start(), format!("/contacts?view={id}&filter="));
        let unknown = Address { view: "x".into(), ..Address::default() };
        assert_eq!(Ask::read(unknown, &[view], Some("city")).columns().text(), "city");
    }
}
