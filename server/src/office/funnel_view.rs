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

pub(super) fn render(viewer: &Viewer, ask: &Ask, board: &Board, now: UnixMs) -> Markup {
    let any = board.columns.iter().any(|column| column.deals > 0);
    html! {
        div.bar {
            h1 { "Funnel" }
            (layout::live_chip())
            (layout::unit("asof", html! { (layout::as_of(now)) " " (devices::behind(&board.fresh, now)) }))
            span.grow {}
            form.inline-ask action="/funnel" data-find { (board.chosen.select()) (who::period(ask.days(), &PERIODS)) button.btn { "Show" } }
        }
        (layout::unit("figures", figures(board)))
        @if !any {
            section.card { (layout::empty("No deals yet", html! { "Reps add deals on their devices, the office on a contact's page. They stand here by their stage." })) }
        }
        section aria-label="Board" data-counts {
            @if viewer.edits() { p.hint.board-hint { "Drag a deal to another stage, or open “Move” on it." } }
            div.board tabindex="0" role="region" aria-label="Deals by stage" {
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
        @if sums.is_empty() { "no amount" }
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
        section.figs aria-label="Figures" {
            div.card.fig { span.k { "Open deals" } b { (layout::count(open().map(|column| column.deals).sum())) } span.asof { (sums(&all(open().map(|column| &column.sums)))) } }
            div.card.fig { span.k { "Expected" } b.smaller { (sums(&all(open().map(|column| &column.expected)))) } span.asof { "amount times probability" } }
            div.card.fig { span.k { "Won" } b { (layout::count(count(WON))) } span.asof { @if let Some(won) = of(WON).filter(|won| won.deals > 0) { (sums(&won.sums)) } @else { "in this period" } } }
            div.card.fig { span.k { "Won of closed" } b { @if closed > 0 { (count(WON) * 100 / closed) " %" } @else { "–" } } span.asof { (layout::count(count(LOST))) " lost in this period" } }
        }
    }
}

fn column(viewer: &Viewer, ask: &Ask, column: &Column, now: UnixMs) -> Markup {
    let title = format!("t-{}", column.stage);
    html! {
        section.col aria-labelledby=(title) data-stage=(column.stage) {
            h2 id=(title) { (word(&column.stage)) " " span.k { "· " (layout::count(column.deals)) } }
            p.asof { @if column.deals > 0 { (sums(&column.sums)) } @else { "nothing here" } }
            @for card in &column.cards { (self::card(viewer, ask, &column.stage, card, now)) }
            @if column.deals > column.cards.len() as u64 {
                p.hint { "The newest " (CARDS) " of " (layout::count(column.deals)) "." }
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
            div.k { @match &card.amount { Some((amount, currency)) => (layout::money(*amount, currency)), None => "no amount" } }
            div.asof {
                @if card.entered_at > 0 { (layout::span(now - card.entered_at)) " here" }
                @if let Some(owner) = &card.owner { " · " (owner) }
            }
            @if let Some(day) = &card.expected_close { div { span.chip.wait[late] { "close " (layout::date(day)) } } }
            @if viewer.edits() {
                details.move {
                    summary { "Move" span.vh { " " (card.title) " of " (card.name) } }
                    form method="post" action={ "/contacts/" (card.contact) "/stage" } data-in-place {
                        (layout::csrf(viewer))
                        input type="hidden" name="deal" value=(card.deal);
                        input type="hidden" name="was" value=(stage);
                        input type="hidden" name="back" value=(ask.address());
                        label for={ (id) "-s" } { "To stage" }
                        select id={ (id) "-s" } name="stage" { @for known in STAGES { option value=(known) selected[*known == stage] { (word(known)) } } }
                        label for={ (id) "-r" } { "Reason, if lost" }
                        input id={ (id) "-r" } name="lost_reason" autocomplete="off";
                        button.btn.small.go { "Move" }
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
    let label = PERIODS.iter().find(|(days, _)| *days == ask.days()).map_or("", |(_, label)| label);
    let most = funnel.stages.iter().map(|stage| stage.reached).max().unwrap_or(0);
    html! {
        section.card aria-labelledby="conversion-title" {
            div.bar { h2 #conversion-title { "How deals come through" } span.grow {} span.k { "begun in " (label) } }
            @if funnel.deals == 0 { (layout::empty("No deal began", html! { "Choose a longer period." })) } @else {
                div.scroll tabindex="0" role="region" aria-label="Conversion and time per stage" {
                    table.tight-table {
                        thead { tr { th scope="col" { "Stage" } th.num scope="col" { "Reached" } th.num scope="col" { "Of all" } th.num scope="col" { "Go on" } th.num scope="col" { "Stay, median" } } }
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
                    (layout::plural(funnel.deals, "deal", "deals")) ", " (layout::count(funnel.lost)) " lost. "
                    @if let Some(ms) = funnel.to_won.get(funnel.to_won.len() / 2) { "Half of those won took up to " (layout::span(*ms)) "." }
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
            let name = if month.is_empty() { "no day given" } else { month.as_str() };
            sums.iter().map(move |(currency, amount)| {
                vec![name.to_owned(), layout::money(*amount, currency)]
            })
        })
        .collect();
    html! {
        section.card aria-labelledby="outlook-title" {
            div.bar { h2 #outlook-title { "Expected revenue" } span.grow {} span.k { "by expected close" } }
            @if rows.is_empty() { (layout::empty("Nothing is open", html! { "Open deals with an amount stand here by their month." })) } @else {
                div.scroll tabindex="0" role="region" aria-label="Expected revenue by month" {
                    table.tight-table {
                        thead { tr { th scope="col" { "Month" } th.num scope="col" { "Expected" } } }
                        tbody { @for row in &rows { tr { th scope="row" { (row[0]) } td.num { (row[1]) } } } }
                    }
                }
                p.hint { "Amount times the probability that the rep gave; without one, that of the stage: lead 10 %, qualified 25 %, offer 50 %, negotiation 75 %." }
            }
        }
    }
}

fn lost(ask: &Ask, board: &Board) -> Markup {
    let label = PERIODS.iter().find(|(days, _)| *days == ask.days()).map_or("", |(_, label)| label);
    let all: u64 = board.lost.iter().map(|lost| lost.deals).sum();
    html! {
        section.card aria-labelledby="lost-title" {
            div.bar { h2 #lost-title { "Why deals were lost" } span.grow {} span.k { (label) } }
            @if board.lost.is_empty() { (layout::empty("Nothing was lost", html! { "In this period no deal went to Lost." })) } @else {
                ul.lines {
                    @for lost in board.lost.iter().take(12) {
                        li {
                            span { b { (lost.reason.as_deref().unwrap_or("No reason given")) } }
                            span { (layout::count(lost.deals)) " · " (share(lost.deals, all)) }
                            span.k { (sums(&lost.sums)) }
                            (meter(lost.deals, all))
                        }
                    }
                }
            }
            @let rows: Vec<Vec<String>> = board.lost.iter().skip(12).map(|lost| vec![lost.reason.clone().unwrap_or_default(), layout::count(lost.deals)]).collect();
            @if !rows.is_empty() { (charts::table(&["Reason", "Deals"], &rows)) }
        }
    }
}
