//! The page of the funnel: the board, and what its record tells.

use maud::{Markup, html};
use roadbook_protocol::document::schema::STAGES;
use roadbook_protocol::ids::UnixMs;

use super::charts;
use super::devices;
use super::fields::word;
use super::funnel::{Ask, Board, CARDS, Card, Column, PERIODS, Sums};
use super::layout;
use super::session::Viewer;
use super::who;
use crate::insight::funnel::{LOST, OPEN, WON};
use crate::store::chances::Chances;

pub(super) fn render(viewer: &Viewer, ask: &Ask, board: &Board, now: UnixMs) -> Markup {
    let any = board.columns.iter().any(|column| column.deals > 0);
    html! {
        div.bar {
            h1 { (t!("nav-funnel")) }
            (layout::live_chip())
            (layout::unit("asof", html! { (layout::as_of(now)) " " (devices::behind(&board.fresh, now)) }))
            span.grow {}
            form.inline-ask action="/funnel" data-find { (board.chosen.select()) (who::period(ask.days(), &PERIODS)) button.btn { (t!("show")) } }
        }
        (layout::unit("figures", figures(board)))
        @if !any {
            section.card { (layout::empty(&t!("funnel-none"), html! { (t!("funnel-none-text")) })) }
        }
        section aria-label=(t!("funnel-board")) data-counts {
            @if viewer.edits() { p.hint.board-hint { (t!("funnel-drag")) } }
            div.board tabindex="0" role="region" aria-label=(t!("funnel-by-stage")) {
                @for column in &board.columns { (layout::unit(&format!("stage-{}", column.stage), self::column(viewer, ask, column, now))) }
            }
        }
        div.halves {
            (layout::unit("conversion", conversion(ask, board)))
            (layout::unit("outlook", outlook(board)))
            (layout::unit("lost", lost(ask, board)))
        }
    }
}

/// Amounts, each with its currency; never one sum.
fn sums(sums: &Sums) -> Markup {
    html! {
        @for (n, (currency, amount)) in sums.iter().enumerate() { @if n > 0 { " · " } (layout::money(*amount, currency)) }
        @if sums.is_empty() { (t!("no-amount")) }
    }
}

fn all<'a>(columns: impl Iterator<Item = &'a Sums>) -> Sums {
    let mut total = Sums::new();
    for (currency, amount) in columns.flatten() {
        let sum = total.entry(currency.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
    total
}

fn figures(board: &Board) -> Markup {
    let open = || board.columns.iter().filter(|column| OPEN.contains(&column.stage.as_str()));
    let of = |stage: &str| board.columns.iter().find(|column| column.stage == stage);
    let count = |stage: &str| of(stage).map_or(0, |column| column.deals);
    let closed = count(WON) + count(LOST);
    html! {
        section.figs aria-label=(t!("figures-label")) {
            div.card.fig { span.k { (t!("funnel-open")) } b { (layout::count(open().map(|column| column.deals).sum())) } span.asof { (sums(&all(open().map(|column| &column.sums)))) } }
            div.card.fig { span.k { (t!("funnel-expected")) } b.smaller { (sums(&all(open().map(|column| &column.expected)))) } span.asof { (t!("funnel-expected-rule")) } }
            div.card.fig { span.k { (t!("funnel-won")) } b { (layout::count(count(WON))) } span.asof { @if let Some(won) = of(WON).filter(|won| won.deals > 0) { (sums(&won.sums)) } @else { (t!("funnel-in-period")) } } }
            div.card.fig { span.k { (t!("funnel-won-of-closed")) } b { @if closed > 0 { (count(WON) * 100 / closed) " %" } @else { "–" } } span.asof { (t!("funnel-n-lost", n = count(LOST))) } }
        }
    }
}

fn column(viewer: &Viewer, ask: &Ask, column: &Column, now: UnixMs) -> Markup {
    let title = format!("t-{}", column.stage);
    html! {
        section.col aria-labelledby=(title) data-stage=(column.stage) {
            h2 id=(title) { (word(&column.stage)) " " span.k { "· " (layout::count(column.deals)) } }
            p.asof { @if column.deals > 0 { (sums(&column.sums)) } @else { (t!("funnel-nothing")) } }
            @for card in &column.cards { (self::card(viewer, ask, &column.stage, card, now)) }
            @if column.deals > column.cards.len() as u64 {
                p.hint { (t!("funnel-newest", shown = CARDS as u64, n = column.deals)) }
            }
        }
    }
}

fn card(viewer: &Viewer, ask: &Ask, stage: &str, card: &Card, now: UnixMs) -> Markup {
    let today = chrono::DateTime::from_timestamp_millis(now)
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string();
    let late =
        card.expected_close.as_ref().is_some_and(|day| *day < today) && OPEN.contains(&stage);
    let id = format!("d-{}", card.deal);
    html! {
        article.deal id=(id) draggable=[viewer.edits().then_some("true")] data-deal=(card.deal) {
            b { (card.title) }
            a.k href={ "/contacts/" (card.contact) } draggable="false" { (card.name) }
            div.k { @match &card.amount { Some((amount, currency)) => (layout::money(*amount, currency)), None => (t!("no-amount")) } }
            div.asof {
                @if card.entered_at > 0 { (t!("funnel-here", span = layout::span(now - card.entered_at))) }
                @if let Some(owner) = &card.owner { " · " (owner) }
            }
            @if let Some(day) = &card.expected_close { div { span.chip.wait[late] { (rich!("funnel-close"; date = layout::date(day))) } } }
            @if viewer.edits() {
                details.move {
                    summary { (t!("funnel-move")) span.vh { " " (t!("funnel-move-hidden", title = card.title.as_str(), name = card.name.as_str())) } }
                    form method="post" action={ "/contacts/" (card.contact) "/stage" } data-in-place {
                        (layout::csrf(viewer))
                        input type="hidden" name="deal" value=(card.deal);
                        input type="hidden" name="was" value=(stage);
                        input type="hidden" name="back" value=(ask.address());
                        label for={ (id) "-s" } { (t!("funnel-to-stage")) }
                        select id={ (id) "-s" } name="stage" { @for known in STAGES { option value=(known) selected[*known == stage] { (word(known)) } } }
                        label for={ (id) "-r" } { (t!("funnel-reason-if-lost")) }
                        input id={ (id) "-r" } name="lost_reason" autocomplete="off";
                        button.btn.small.go { (t!("funnel-move")) }
                    }
                }
            }
        }
    }
}

/// A share of a whole in percent.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.0} %", part as f64 * 100.0 / whole as f64)
    }
}

fn conversion(ask: &Ask, board: &Board) -> Markup {
    let funnel = &board.funnel;
    let label = &who::period_name(ask.days());
    let most = funnel.stages.iter().map(|stage| stage.reached).max().unwrap_or(0);
    html! {
        section.card aria-labelledby="conversion-title" {
            div.bar { h2 #conversion-title { (t!("funnel-through")) } span.grow {} span.k { (t!("funnel-begun", period = label)) } }
            @if funnel.deals == 0 { (layout::empty(&t!("funnel-none-began"), html! { (t!("choose-longer")) })) } @else {
                div.scroll tabindex="0" role="region" aria-label=(t!("funnel-conversion-label")) {
                    table.tight-table {
                        thead { tr { th scope="col" { (t!("stage")) } th.num scope="col" { (t!("funnel-reached")) } th.num scope="col" { (t!("funnel-of-all")) } th.num scope="col" { (t!("funnel-go-on")) } th.num scope="col" { (t!("funnel-stay")) } } }
                        tbody {
                            @for (n, name) in OPEN.iter().chain([&WON]).enumerate() {
                                @let stage = &funnel.stages[n];
                                @let next = funnel.stages.get(n + 1);
                                tr {
                                    th scope="row" { (word(name)) (meter(stage.reached, most)) }
                                    td.num { (layout::count(stage.reached)) }
                                    td.num { (share(stage.reached, funnel.deals)) }
                                    td.num { @if let Some(next) = next { (share(next.reached, stage.reached)) } @else { "–" } }
                                    td.num { @match stage.median() { Some(ms) => (layout::span(ms)), None => "–" } }
                                }
                            }
                        }
                    }
                }
                p.hint {
                    (t!("funnel-deals-lost", deals = funnel.deals, lost = funnel.lost)) " "
                    @if let Some(ms) = funnel.to_won.get(funnel.to_won.len() / 2) { (t!("funnel-half-won", span = layout::span(*ms))) }
                }
            }
        }
    }
}

/// A bar of a share, in the line of a table.
fn meter(part: u64, whole: u64) -> Markup {
    let width = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    html! { svg.meter viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" { rect.rest width="100" height="4" {} rect.part width=(format!("{width:.1}")) height="4" {} } }
}

fn outlook(board: &Board) -> Markup {
    let rows: Vec<Vec<String>> = board
        .months
        .iter()
        .flat_map(|(month, sums)| {
            let name = if month.is_empty() { t!("funnel-no-day") } else { month.clone() };
            sums.iter()
                .map(move |(currency, amount)| vec![name.clone(), layout::money(*amount, currency)])
        })
        .collect();
    html! {
        section.card aria-labelledby="outlook-title" {
            div.bar { h2 #outlook-title { (t!("funnel-outlook")) } span.grow {} span.k { (t!("funnel-by-close")) } }
            @if rows.is_empty() { (layout::empty(&t!("funnel-nothing-open"), html! { (t!("funnel-nothing-open-text")) })) } @else {
                div.scroll tabindex="0" role="region" aria-label=(t!("funnel-by-month-label")) {
                    table.tight-table {
                        thead { tr { th scope="col" { (t!("month")) } th.num scope="col" { (t!("funnel-expected")) } } }
                        tbody { @for row in &rows { tr { th scope="row" { (row[0]) } td.num { (row[1]) } } } }
                    }
                }
                p.hint { (t!("funnel-expected-note", stages = usual(&board.chances))) }
            }
        }
    }
}

/// The probabilities of stages where the rep gave none: `Lead 10 %, Qualified 25 %`.
fn usual(chances: &Chances) -> String {
    let of = |stage: &&str| Some(format!("{} {} %", word(stage), chances.of(stage)?));
    OPEN.iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

fn lost(ask: &Ask, board: &Board) -> Markup {
    let label = &who::period_name(ask.days());
    let all: u64 = board.lost.iter().map(|lost| lost.deals).sum();
    html! {
        section.card aria-labelledby="lost-title" {
            div.bar { h2 #lost-title { (t!("funnel-why-lost")) } span.grow {} span.k { (label) } }
            @if board.lost.is_empty() { (layout::empty(&t!("funnel-none-lost"), html! { (t!("funnel-none-lost-text")) })) } @else {
                ul.lines {
                    @for lost in board.lost.iter().take(12) {
                        li {
                            span { b { (lost.reason.clone().unwrap_or_else(|| t!("funnel-no-reason"))) } }
                            span { (layout::count(lost.deals)) " · " (share(lost.deals, all)) }
                            span.k { (sums(&lost.sums)) }
                            (meter(lost.deals, all))
                        }
                    }
                }
            }
            @let rows: Vec<Vec<String>> = board.lost.iter().skip(12).map(|lost| vec![lost.reason.clone().unwrap_or_default(), layout::count(lost.deals)]).collect();
            @if !rows.is_empty() { (charts::table(&[t!("reason"), t!("deals")], &rows)) }
        }
    }
}
