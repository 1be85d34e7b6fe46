//! The pages of bulk actions, and the form in the list that leads to them.

use maud::{Markup, html};
use roadbook_protocol::ids::UnixMs;

use super::super::contacts::{Ask, Total};
use super::super::fields::{self, Names};
use super::super::layout::{self, Shape};
use super::super::session::Viewer;
use super::super::{url, words};
use super::{ItemState, NAMED_MAX, Named, Sight, Stage, Tally, What, statuses};
use crate::store::bulk::Bulk;
use crate::store::people::User;

/// The form in the list: what is to be done to the chosen, or to all that are found.
pub(in super::super) fn form(
    viewer: &Viewer,
    receivers: &[User],
    ask: &Ask,
    total: Total,
) -> Markup {
    let all = match total {
        Total::Exactly(n) => t!("bulk-all", n = n),
        Total::MoreThan(n) => t!("bulk-all-more", n = n),
    };
    html! {
        details.bulk.card #bulk-box {
            summary { b { (t!("bulk-title")) } " " span.chip.brand data-picked=(t!("bulk-picked", n = "{n}")) hidden {} }
            form.bulk-form #bulk method="post" action="/contacts/bulk" {
                (layout::csrf(viewer))
                (layout::unit("bulk-all", html! {
                    input type="hidden" name="q" value=(ask.q()); input type="hidden" name="filter" value=(ask.filter());
                    label.check { input type="checkbox" name="all" value="1"; " " (all) }
                    p.hint { (t!("bulk-or-pick")) }
                }))
                div.bulk-what {
                    div { label for="bulk-what" { (t!("bulk-what")) }
                        select #bulk-what name="what" {
                            option value="assign" { (t!("bulk-assign")) } option value="tag" { (t!("bulk-tag")) }
                            option value="untag" { (t!("bulk-untag")) } option value="status" { (t!("bulk-status")) }
                        } }
                    div.for-assign { label for="bulk-to" { (t!("segments-to")) }
                        select #bulk-to name="to" { @for user in receivers { option value=(user.id) { (user.name) " (" (user.login) ")" } } option value="" { (t!("nobody")) } } }
                    div.for-tag { label for="bulk-tag" { (t!("bulk-the-tag")) } input #bulk-tag name="tag" maxlength="100" autocomplete="off"; }
                    div.for-status { label for="bulk-status" { (t!("status")) }
                        select #bulk-status name="status" { @for status in statuses() { option value=(status) { (fields::word(status)) } } option value="" { (t!("bulk-no-status-choice")) } } }
                    button.btn.go { (t!("bulk-see")) }
                }
                div.bar {
                    label.check { input type="checkbox" name="spare" value="1" checked; " " (t!("bulk-spare")) }
                    span.grow {}
                    a.k href="/contacts/bulk" { (t!("bulk-earlier")) }
                }
            }
        }
    }
}

/// What an action is called: "Add the tag “vip”".
pub(super) fn title(bulk: &Bulk, names: &Names) -> String {
    match &bulk.what {
        What::Assign(Some(to)) => t!("bulk-title-assign", name = names.of(*to)),
        What::Assign(None) => t!("bulk-title-unassign"),
        What::Tag(tag) => t!("bulk-title-tag", tag = tag.as_str()),
        What::Untag(tag) => t!("bulk-title-untag", tag = tag.as_str()),
        What::Retag { from, to } => {
            t!("bulk-title-retag", tag = from.as_str(), to = to.as_str())
        }
        What::Status(status) if status.is_empty() => t!("bulk-title-no-status"),
        What::Status(status) => t!("bulk-title-status", status = fields::word(status)),
    }
}

/// Why a contact was refused or left.
fn reason(why: &str) -> String {
    words::text_or("bulk-why", why, || t!("bulk-why-failed"))
}

pub(super) fn render(viewer: &Viewer, sight: &Sight, now: UnixMs) -> Markup {
    let bulk = &sight.bulk;
    let content = html! {
        @match bulk.stage {
            Stage::Listing => (unfinished(bulk)),
            Stage::Listed => (preview(viewer, sight)),
            Stage::Doing | Stage::Undoing => (progress(viewer, sight)),
            Stage::Done | Stage::Undone => (outcome(viewer, sight, now)),
        }
        (named(sight))
    };
    html! {
        p.crumb { a.up href=(url::local(&bulk.asked)) { (t!("contacts")) } " / " a.up href="/contacts/bulk" { (t!("bulk-earlier")) } }
        div.bar { h1 { (title(bulk, &sight.names)) } (layout::live_chip()) }
        (layout::unit("bulk-state", html! { div.stack data-again[sight.runs] { (content) } }))
    }
}

fn unfinished(bulk: &Bulk) -> Markup {
    html! { section.card.tight { p.notice.wait role="status" { (t!("bulk-listing")) } p { a.btn href=(url::local(&bulk.asked)) { (t!("bulk-back")) } } } }
}

/// A row of figures: how many of what.
fn figure(n: u64, text: &str) -> Markup {
    html! { div.fig.card { span.k { (text) } b { (layout::count(n)) } } }
}

fn why_table(tallies: &[Tally], state: ItemState, heading: &str) -> Markup {
    let rows: Vec<&Tally> = tallies.iter().filter(|tally| tally.state == state).collect();
    html! {
        @if !rows.is_empty() {
            table.tight-table {
                thead { tr { th scope="col" { (heading) } th.num scope="col" { (t!("contacts")) } } }
                tbody { @for tally in rows { tr { td { (reason(&tally.why)) } td.num { (layout::count(tally.count)) } } } }
            }
        }
    }
}

fn preview(viewer: &Viewer, sight: &Sight) -> Markup {
    let bulk = &sight.bulk;
    let todo = sight.count(ItemState::ToDo);
    html! {
        div.figs.three { (figure(todo, &t!("bulk-would"))) (figure(sight.count(ItemState::Same), &t!("bulk-same"))) (figure(sight.count(ItemState::Refused), &t!("bulk-refused"))) }
        section.card.stack.snug aria-labelledby="means" {
            h2 #means { (t!("bulk-means")) }
            p { @match &bulk.what {
                What::Assign(_) => (t!("bulk-means-assign")),
                What::Tag(_) | What::Untag(_) | What::Retag { .. } => (t!("bulk-means-tag")),
                What::Status(_) => (t!("bulk-means-status")),
            } }
            @if !sight.from.is_empty() {
                table.tight-table {
                    thead { tr { th scope="col" { (t!("segments-from")) } th scope="col" { (t!("segments-to")) } th.num scope="col" { (t!("contacts")) } } }
                    tbody { @for (was, count) in &sight.from { tr { td { (was_word(&bulk.what, was.as_deref())) } td { (to_word(&bulk.what, &sight.names)) } td.num { (layout::count(*count)) } } } }
                }
            }
            (why_table(&sight.tallies, ItemState::Refused, &t!("bulk-refused-why")))
            @if sight.missing() > 0 { p.hint { (t!("bulk-erased", n = sight.missing())) } }
            form.bar method="post" action={ "/contacts/bulk/" (bulk.n) "/do" } {
                (layout::csrf(viewer))
                @if todo > 0 { button.btn.go { (t!("bulk-do", n = todo)) } }
                a.btn href=(url::local(&bulk.asked)) { @if todo > 0 { (t!("cancel")) } @else { (t!("bulk-back")) } }
            }
            @if todo > 0 { p.hint { (t!("bulk-can-undo")) } } @else { p.hint { (t!("bulk-nothing")) } }
        }
    }
}

fn was_word(what: &What, was: Option<&str>) -> String {
    match (what, was) {
        (What::Status(_), Some(status)) => fields::word(status),
        (What::Status(_), None) => t!("bulk-no-status-choice"),
        (_, Some(name)) => name.to_owned(),
        (_, None) => t!("nobody"),
    }
}

fn to_word(what: &What, names: &Names) -> String {
    match what {
        What::Assign(Some(to)) => names.of(*to),
        What::Assign(None) => t!("nobody"),
        What::Status(status) if status.is_empty() => t!("bulk-no-status-choice"),
        What::Status(status) => fields::word(status),
        What::Tag(_) | What::Untag(_) | What::Retag { .. } => String::new(),
    }
}

fn progress(viewer: &Viewer, sight: &Sight) -> Markup {
    let bulk = &sight.bulk;
    let undo = bulk.stage == Stage::Undoing;
    let open = sight.count(if undo { ItemState::Done } else { ItemState::ToDo });
    let finished: u64 = if undo {
        sight.count(ItemState::Undone) + sight.count(ItemState::Left)
    } else {
        sight.count(ItemState::Done)
            + sight.count(ItemState::Refused)
            + sight.count(ItemState::Same)
    };
    let all = (open + finished).max(1);
    html! {
        section.card.tight.snug {
            @if sight.runs {
                p role="status" { @if undo { (t!("bulk-undoing", n = finished, all = all)) } @else { (t!("bulk-doing", n = finished, all = all)) } }
            } @else {
                p.notice.wait role="status" { (t!("bulk-cut-off", n = finished, all = all)) }
            }
            progress max=(all) value=(finished) aria-label=(t!("bulk-progress")) {}
            @if sight.runs {
                p { a.btn.small href={ "/contacts/bulk/" (bulk.n) } { (t!("bulk-look-again")) } }
                p.hint { (t!("bulk-may-leave")) }
            } @else if bulk.actor() == viewer.user {
                form method="post" action={ "/contacts/bulk/" (bulk.n) "/do" } { (layout::csrf(viewer)) button.btn.go { (t!("bulk-go-on", n = open)) } }
            }
        }
    }
}

fn outcome(viewer: &Viewer, sight: &Sight, now: UnixMs) -> Markup {
    let bulk = &sight.bulk;
    let done = sight.count(ItemState::Done);
    let undone = bulk.stage == Stage::Undone;
    html! {
        section.card.stack.snug {
            @if undone {
                p.notice.ok role="status" { (t!("bulk-undone", n = sight.count(ItemState::Undone))) }
                @if sight.count(ItemState::Left) > 0 { p { (t!("bulk-left", n = sight.count(ItemState::Left))) } }
                (why_table(&sight.tallies, ItemState::Left, &t!("bulk-left-why")))
            } @else {
                p.notice.ok role="status" { (t!("bulk-done", n = done)) }
                @if sight.count(ItemState::Same) > 0 { p.k { (t!("bulk-was-same", n = sight.count(ItemState::Same))) } }
                (why_table(&sight.tallies, ItemState::Refused, &t!("bulk-refused-why")))
            }
            @if sight.missing() > 0 { p.hint { (t!("bulk-erased", n = sight.missing())) } }
            @if let Some(at) = bulk.ended_at { p.asof { (rich!("bulk-by"; who = html! { (sight.names.of(bulk.actor())) }, time = layout::time(at, Shape::Full))) } }
            div.bar {
                a.btn href=(url::local(&bulk.asked)) { (t!("bulk-back")) }
                @if !undone && done > 0 && bulk.is_kept(now) {
                    form method="post" action={ "/contacts/bulk/" (bulk.n) "/undo" } { (layout::csrf(viewer)) button.btn { (t!("bulk-undo", n = done)) } }
                }
            }
            @if !undone && done > 0 { p.hint { @if bulk.is_kept(now) { (t!("bulk-undo-hint")) } @else { (t!("bulk-too-old")) } } }
        }
    }
}

fn named(sight: &Sight) -> Markup {
    let of = |state: ItemState| -> Vec<&Named> {
        sight.named.iter().filter(|named| named.state == state).collect()
    };
    let lists = [
        (ItemState::ToDo, t!("bulk-would")),
        (ItemState::Refused, t!("bulk-refused")),
        (ItemState::Left, t!("bulk-left-title")),
    ];
    html! {
        @for (state, heading) in lists {
            @let rows = of(state);
            @if !rows.is_empty() {
                section.card.list aria-label=(heading) {
                    table {
                        thead { tr { th scope="col" { (heading) } @if state != ItemState::ToDo { th scope="col" { (t!("bulk-why")) } } } }
                        tbody { @for named in &rows { tr {
                            th scope="row" { @match &named.name { Some(name) => a.name href={ "/contacts/" (named.id) } { (name) }, None => span.muted { (t!("bulk-unseen")) } } }
                            @if state != ItemState::ToDo { td.muted { (reason(&named.why)) } }
                        } } }
                    }
                    @if sight.count(state) > NAMED_MAX as u64 { div.pager { span.k { (t!("and-more", n = sight.count(state) - rows.len() as u64)) } } }
                }
            }
        }
    }
}

/// The list of earlier actions.
pub(super) fn earlier(found: &[(Bulk, Vec<Tally>)], names: &Names) -> Markup {
    html! {
        p.crumb { a.up href="/contacts" { (t!("contacts")) } }
        div.bar { h1 { (t!("bulk-earlier")) } }
        section.card.list aria-label=(t!("bulk-earlier")) {
            @if found.is_empty() {
                (layout::empty(&t!("bulk-none"), html! { (t!("bulk-none-text")) }))
            } @else {
                table {
                    thead { tr { th scope="col" { (t!("bulk-what")) } th scope="col" { (t!("state")) } th.mid scope="col" { (t!("bulk-who")) } th.wide.num scope="col" { (t!("when")) } th.num scope="col" { (t!("contacts")) } } }
                    tbody { @for (bulk, tallies) in found { tr {
                        th scope="row" { a.name href={ "/contacts/bulk/" (bulk.n) } { (title(bulk, names)) } }
                        td { (stage_chip(bulk.stage)) }
                        td.mid { (names.of(bulk.user)) }
                        td.wide.num.muted { (layout::time(bulk.made_at, Shape::Full)) }
                        td.num { (layout::count(tallies.iter().filter(|tally| matches!(tally.state, ItemState::Done | ItemState::Undone | ItemState::Left)).map(|tally| tally.count).sum())) }
                    } } }
                }
            }
        }
        p.hint { (t!("bulk-undo-hint")) }
    }
}

fn stage_chip(stage: Stage) -> Markup {
    html! {
        @match stage {
            Stage::Done => span.chip.ok { (t!("bulk-stage-done")) },
            Stage::Undone => span.chip { (t!("bulk-stage-undone")) },
            _ => span.chip.wait { (t!("bulk-stage-open")) },
        }
    }
}
