//! The page of Value, section by section. Each chart has a table behind it.

use maud::{Markup, html};
use roadbook_protocol::document::minor_digits;
use roadbook_protocol::ids::UnixMs;

use super::charts::{self, Bar};
use super::layout::{self, Shape};
use super::value::{Ask, Value};
use super::{devices, url};
use crate::insight::abc::Class;
use crate::insight::rfm::Group;
use crate::insight::{date, habits};

const MONTH: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn render(ask: &Ask, value: &Value, now: UnixMs) -> Markup {
    let counted = &value.counted;
    html! {
        div.bar {
            h1 { "Value" }
            (layout::live_chip())
            (layout::unit("asof", html! {
                (layout::as_of(value.read_at)) " " (devices::behind(&value.fresh, now))
            }))
        }
        (layout::unit("ask", form(ask, value)))
        (layout::unit("value", html! {
            @if let Some(problem) = &value.problem { p.notice.stop role="alert" { (problem) } }
            @if counted.totals.is_empty() {
                section.card {
                    (layout::empty("Nothing was bought yet", html! {
                        "Purchases come with " span.mono { "roadbook-server import FILE --kind purchases" } " or are entered on a contact's page. "
                        @if value.incomplete > 0 { (layout::plural(value.incomplete, "purchase has", "purchases have")) " no date or no amount and can't be counted." }
                    }))
                }
            } @else {
                div.stack {
                    (totals(value))
                    div.two { (grid(ask, value)) (groups(value)) }
                    div.halves { (pareto(value)) (seasons(value)) }
                    (silent(value, ask))
                }
            }
        }))
        (layout::unit("answers", answers(value)))
    }
}

fn form(ask: &Ask, value: &Value) -> Markup {
    let [recency, frequency, monetary] = ask.typed();
    let as_of = date(value.as_of).to_string();
    let limits = ask.by == "limits";
    html! {
        form.find.ask action="/value" data-find {
            div { label for="as_of" { "As of" } input #as_of type="date" name="as_of" value=(as_of) max=(date(value.today).to_string()); }
            div { label for="currency" { "Currency" }
                select #currency name="currency" {
                    @for total in &value.counted.totals { option value=(total.currency) selected[total.currency == value.counted.currency] { (total.currency) } }
                } }
            div { label for="months" { "Purchases of" }
                select #months name="months" {
                    @for (months, label) in [("", "all time"), ("36", "3 years"), ("24", "2 years"), ("12", "12 months")] {
                        option value=(months) selected[ask.months == months] { (label) }
                    }
                } }
            div { label for="by" { "Classes by" }
                select #by name="by" {
                    option value="" selected[!limits] { "quintiles" } option value="limits" selected[limits] { "chosen limits" }
                } }
            @if limits {
                div.limits { label for="recency" { "Days since the last, class 5 to 2" } input #recency name="recency" value=(recency) autocomplete="off"; }
                div.limits { label for="frequency" { "Purchases, class 2 to 5" } input #frequency name="frequency" value=(frequency) autocomplete="off"; }
                div.limits { label for="monetary" { "Revenue, class 2 to 5" } input #monetary name="monetary" value=(monetary) autocomplete="off"; }
            }
            button.btn { "Show" }
        }
    }
}

fn totals(value: &Value) -> Markup {
    let counted = &value.counted;
    html! {
        section.figs aria-label="Totals per currency" {
            @for total in &counted.totals {
                div.card.fig {
                    span.k { "Revenue in " (total.currency) }
                    b { (layout::money(total.amount, &total.currency)) }
                    span.asof { (layout::plural(total.purchases, "purchase", "purchases")) " of " (layout::plural(total.customers, "customer", "customers")) " up to " (layout::date(&date(value.as_of).to_string())) }
                }
            }
        }
        @if value.incomplete > 0 { p.hint { (layout::plural(value.incomplete, "purchase has", "purchases have")) " no date or no amount and " @if value.incomplete == 1 { "is" } @else { "are" } " in no figure." } }
    }
}

/// Whether the classes shown are those that filters ask for.
fn are_those_of_filters(ask: &Ask, value: &Value) -> bool {
    value.as_of == value.today && ask.months.is_empty() && ask.by != "limits"
}

fn grid(ask: &Ask, value: &Value) -> Markup {
    let counted = &value.counted;
    let max = counted.grid.iter().flatten().map(|cell| cell.customers).max().unwrap_or(0);
    let linked = are_those_of_filters(ask, value);
    let rows: Vec<Vec<String>> = (0..5)
        .rev()
        .flat_map(|r| (0..5).rev().map(move |f| (r, f)))
        .filter(|(r, f)| counted.grid[*r][*f].customers > 0)
        .map(|(r, f)| {
            let cell = counted.grid[r][f];
            vec![
                format!("R {} F {}", r + 1, f + 1),
                layout::count(cell.customers),
                layout::money(cell.amount, &counted.currency),
                layout::money(cell.amount / cell.customers.max(1) as i64, &counted.currency),
                format!("{:.1}", cell.monetary as f64 / cell.customers.max(1) as f64),
            ]
        })
        .collect();
    html! {
        section.card aria-labelledby="rfm-title" {
            div.bar { h2 #rfm-title { "Recency and frequency" } span.grow {} span.k { "customers, " (counted.currency) } }
            p.hint { "R 5 bought latest, F 5 most often. Each class is a fifth of all customers" @if ask.by == "limits" { ", here by the limits above" } "; equal customers share a class." }
            div.heat role="table" aria-label="Customers by recency and frequency" {
                div.heat-row role="row" { span role="columnheader" { span.vh { "Recency" } } @for f in 1..=5 { span role="columnheader" { "F" (f) } } }
                @for r in (0..5).rev() {
                    div.heat-row role="row" {
                        span role="rowheader" { "R" (r + 1) }
                        @for f in 0..5 {
                            @let cell = counted.grid[r][f];
                            @let level = charts::heat(cell.customers, max);
                            @let title = format!("{} with recency {} and frequency {}: {}", layout::plural(cell.customers, "customer", "customers"), r + 1, f + 1, layout::money(cell.amount, &counted.currency));
                            div.cell.{ "h" (level) } role="cell" title=(title) {
                                @if linked && cell.customers > 0 {
                                    a href=(url::with("/segments", &[("filter", &format!("recency:{} frequency:{}", r + 1, f + 1))])) aria-label=(title) { (layout::count(cell.customers)) }
                                } @else { (layout::count(cell.customers)) }
                            }
                        }
                    }
                }
            }
            (charts::table(&["Class", "Customers", "Revenue", "Each", "Mean M"], &rows))
        }
    }
}

fn groups(value: &Value) -> Markup {
    let counted = &value.counted;
    let now = |group: Group| -> u64 {
        counted.moves.iter().filter(|((_, to), _)| *to == group).map(|(_, count)| count).sum()
    };
    let stayed = |group: Group| counted.moves.get(&(Some(group), group)).copied().unwrap_or(0);
    let first = |group: Group| counted.moves.get(&(None, group)).copied().unwrap_or(0);
    let left = |group: Group| -> u64 {
        counted
            .moves
            .iter()
            .filter(|((from, to), _)| *from == Some(group) && *to != group)
            .map(|(_, count)| count)
            .sum()
    };
    html! {
        section.card aria-labelledby="moves-title" {
            div.bar { h2 #moves-title { "Who moved" } span.grow {} span.k { "against 3 months before" } }
            div.scroll tabindex="0" role="region" aria-label="Moves between groups" {
                table.tight-table {
                    thead { tr { th scope="col" { "Group" } th.num scope="col" { "Now" } th.num scope="col" { "Came" } th.num scope="col" { "First" } th.num scope="col" { "Left" } } }
                    tbody {
                        @for group in Group::ALL {
                            @let (all, stayed, first) = (now(group), stayed(group), first(group));
                            tr {
                                th scope="row" { (group.name()) div.asof { (group.rule()) } }
                                td.num { (layout::count(all)) }
                                td.num.muted { @if all > stayed + first { "+" (layout::count(all - stayed - first)) } @else { "–" } }
                                td.num.muted { @if first > 0 { "+" (layout::count(first)) } @else { "–" } }
                                td.num.muted { @if left(group) > 0 { "−" (layout::count(left(group))) } @else { "–" } }
                            }
                        }
                    }
                }
            }
            p.hint { "Came from another group, bought for the first time, left for another group." }
            (flows(value))
        }
    }
}

/// From where to where, group by group.
fn flows(value: &Value) -> Markup {
    let mut flows: Vec<_> = value
        .counted
        .moves
        .iter()
        .filter(|((from, to), _)| *from != Some(*to))
        .map(|((from, to), count)| (*count, from.map_or("no customer", Group::name), to.name()))
        .collect();
    flows.sort_by(|a, b| b.cmp(a));
    let rows: Vec<Vec<String>> = flows
        .into_iter()
        .map(|(count, from, to)| vec![format!("{from} → {to}"), layout::count(count)])
        .collect();
    html! { @if !rows.is_empty() { (charts::table(&["From, to", "Customers"], &rows)) } }
}

fn percent(part: i64, all: i64) -> String {
    if all <= 0 { "–".to_owned() } else { format!("{:.0} %", part as f64 * 100.0 / all as f64) }
}

fn pareto(value: &Value) -> Markup {
    let counted = &value.counted;
    let (customers, amount) =
        counted.classes.iter().fold((0, 0_i64), |(customers, amount), part| {
            (customers + part.customers, amount.saturating_add(part.amount))
        });
    html! {
        section.card aria-labelledby="abc-title" {
            div.bar { h2 #abc-title { "Who makes the revenue" } span.grow {} span.k { (counted.currency) } }
            @if counted.curve.is_empty() { (layout::empty("No revenue", html! { "Nothing was earned in this time." })) } @else {
                (charts::curve("Share of the revenue that the largest customers make", &counted.curve, &counted.marks()))
                p.hint { "Across: customers, the largest first. Up: their share of the revenue." }
            }
            div.scroll tabindex="0" role="region" aria-label="ABC classes" {
                table.tight-table {
                    thead { tr { th scope="col" { "Class" } th.num scope="col" { "Customers" } th.num scope="col" { "Revenue" } th.num scope="col" { "Share" } } }
                    tbody { @for class in Class::ALL {
                        @let part = counted.classes[class as usize];
                        tr {
                            th scope="row" { b { (class.name()) } " " span.k { (match class { Class::A => "first 80 %", Class::B => "next 15 %", Class::C => "last 5 %" }) } }
                            td.num { (layout::count(part.customers)) span.k { " · " (percent(part.customers as i64, customers as i64)) } }
                            td.num { (layout::money(part.amount, &counted.currency)) }
                            td.num { (percent(part.amount, amount)) }
                        }
                    } }
                }
            }
        }
    }
}

/// An amount in major units, for the height of a bar.
fn major(amount: i64, currency: &str) -> f64 {
    amount as f64 / 10_f64.powi(minor_digits(currency) as i32)
}

fn seasons(value: &Value) -> Markup {
    let counted = &value.counted;
    let currency = &counted.currency;
    let bars: Vec<Bar> = counted
        .months
        .iter()
        .map(|month| Bar {
            label: month.start.format("%b %y").to_string(),
            value: major(month.amount, currency),
            text: format!(
                "{}: {}",
                month.start.format("%B %Y"),
                layout::money(month.amount, currency)
            ),
        })
        .collect();
    let rows: Vec<Vec<String>> = counted
        .months
        .iter()
        .rev()
        .map(|month| {
            vec![
                month.start.format("%b %Y").to_string(),
                layout::count(month.purchases),
                layout::money(month.amount, currency),
            ]
        })
        .collect();
    html! {
        section.card aria-labelledby="months-title" {
            div.bar { h2 #months-title { "Months and seasons" } span.grow {} span.k { (currency) } }
            (charts::bars("Revenue of each of the last 24 months", &bars, None))
            (charts::table(&["Month", "Purchases", "Revenue"], &rows))
            @if let Some(season) = &counted.season {
                h3.sub { "Season: 100 is an average month" }
                @let bars: Vec<Bar> = season.iter().zip(MONTH).map(|(index, month)| Bar { label: month[..1].to_owned(), value: *index, text: format!("{month}: {index:.0}") }).collect();
                (charts::bars("Index of each calendar month over whole years", &bars, Some(100.0)))
                @let rows: Vec<Vec<String>> = season.iter().zip(MONTH).map(|(index, month)| vec![month.to_owned(), format!("{index:.0}")]).collect();
                (charts::table(&["Month", "Index"], &rows))
            } @else { p.hint { "Seasons are told as soon as there is a whole year of purchases." } }
        }
    }
}

fn silent(value: &Value, ask: &Ask) -> Markup {
    let currency = &value.counted.currency;
    html! {
        section.card.list aria-labelledby="silent-title" {
            div.bar.pad { h2 #silent-title { "Gone silent, worth reviving" } span.grow {} span.k { (layout::plural(value.counted.silent_all, "customer", "customers")) } }
            @if !ask.months.is_empty() {
                (layout::empty("Choose all time", html! { "Silence is judged by all purchases of a customer." }))
            } @else if value.silent.is_empty() {
                (layout::empty("Nobody has gone silent", html! { "Everybody bought within twice their usual time." }))
            } @else {
                table {
                    caption.vh { "Customers who have gone silent, the largest first" }
                    thead { tr { th scope="col" { "Customer" } th.mid scope="col" { "Owner" } th.num scope="col" { "Silent for" } th.wide.num scope="col" { "Usual" } th.wide.num scope="col" { "Purchases" } th.num scope="col" { "Revenue" } } }
                    tbody { @for one in &value.silent {
                        @let customer = &one.customer;
                        tr {
                            th scope="row" { a.name href={ "/contacts/" (one.id) } { (one.name) } div.narrow.k { (one.owner.as_deref().unwrap_or("nobody")) } }
                            td.mid { (one.owner.as_deref().unwrap_or("nobody")) }
                            td.num { (layout::count(one.days.unsigned_abs())) " d" }
                            td.wide.num.muted { @if customer.purchases > 1 { "every " ((customer.last - customer.first) / (customer.purchases as i32 - 1)) " d" } @else { "once" } }
                            td.wide.num.muted { (customer.purchases) }
                            td.num { (layout::money(customer.amount, currency)) }
                        }
                    } }
                }
                p.hint.pad { "Silent for more than twice their usual time between purchases and more than " (habits::SILENT_DAYS_MIN) " days; who bought once, for more than " (habits::SILENT_ONCE_DAYS) "." }
            }
        }
    }
}

fn answers(value: &Value) -> Markup {
    let all = value.answers.iter().fold(habits::Answers::default(), |mut all, (_, month)| {
        all.promoters += month.promoters;
        all.passives += month.passives;
        all.detractors += month.detractors;
        all
    });
    html! {
        section.card aria-labelledby="nps-title" {
            div.bar { h2 #nps-title { "Would they recommend us" } span.grow {} span.k { "net promoter score, 12 months" } }
            @match all.score() {
                None => (layout::empty("No answer yet", html! { "Reps log a survey with its answer from 0 to 10 on their devices, the office on a contact's page." })),
                Some(score) => {
                    div.two {
                        div {
                            div.fig { b { (if score < 0 { format!("−{}", -score) } else { score.to_string() }) } span.asof { (layout::plural(all.all(), "answer", "answers")) ": " (layout::count(all.promoters)) " promoters (9–10), " (layout::count(all.passives)) " passives (7–8), " (layout::count(all.detractors)) " detractors (0–6)" } }
                            @let bars: Vec<Bar> = value.answers.iter().map(|(start, month)| Bar { label: start.format("%b %y").to_string(), value: month.score().unwrap_or(0) as f64, text: format!("{}: {}", start.format("%B %Y"), month.score().map_or("no answer".to_owned(), |score| score.to_string())) }).collect();
                            (charts::bars("Score of each month", &bars, None))
                            @let rows: Vec<Vec<String>> = value.answers.iter().rev().map(|(start, month)| vec![start.format("%b %Y").to_string(), month.score().map_or("–".to_owned(), |score| score.to_string()), month.promoters.to_string(), month.passives.to_string(), month.detractors.to_string()]).collect();
                            (charts::table(&["Month", "Score", "9–10", "7–8", "0–6"], &rows))
                        }
                        ul.lines {
                            @if value.comments.is_empty() { li { span.k { "Nobody said a word with their answer." } } }
                            @for comment in &value.comments {
                                li { span { a.name href={ "/contacts/" (comment.id) } { (comment.name) } " " span.chip.ok[comment.nps >= 9].wait[(7..=8).contains(&comment.nps)].stop[comment.nps < 7] { (comment.nps) } } (layout::time(comment.at, Shape::Short)) span.k { (comment.text) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
