//! The page of Value, section by section. Each chart has a table behind it.

use maud::{Markup, html};
use roadbook_protocol::document::minor_digits;
use roadbook_protocol::ids::UnixMs;

use super::charts::{self, Bar};
use super::layout::{self, Shape};
use super::value::{Ask, Value};
use super::{devices, url, words};
use crate::insight::abc::Class;
use crate::insight::rfm::Group;
use crate::insight::{date, habits};

pub(super) fn render(ask: &Ask, value: &Value, now: UnixMs) -> Markup {
    let counted = &value.counted;
    html! {
        div.bar {
            h1 { (t!("nav-value")) }
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
                    (layout::empty(&t!("value-none"), html! {
                        (rich!("value-none-text"; command = html! { span.mono { "roadbook-server import FILE --kind purchases" } })) " "
                        @if value.incomplete > 0 { (t!("value-incomplete", n = value.incomplete)) }
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
            div { label for="as_of" { (t!("as-of-label")) } input #as_of type="date" name="as_of" value=(as_of) max=(date(value.today).to_string()); }
            div { label for="currency" { (t!("value-currency")) }
                select #currency name="currency" {
                    @for total in &value.counted.totals { option value=(total.currency) selected[total.currency == value.counted.currency] { (total.currency) } }
                } }
            div { label for="months" { (t!("value-purchases-of")) }
                select #months name="months" {
                    @for (months, label) in [("", t!("value-all-time")), ("36", t!("n-years", n = 3)), ("24", t!("n-years", n = 2)), ("12", t!("n-months", n = 12))] {
                        option value=(months) selected[ask.months == months] { (label) }
                    }
                } }
            div { label for="by" { (t!("value-classes-by")) }
                select #by name="by" {
                    option value="" selected[!limits] { (t!("value-quintiles")) } option value="limits" selected[limits] { (t!("value-limits")) }
                } }
            @if limits {
                div.limits { label for="recency" { (t!("value-limit-recency")) } input #recency name="recency" value=(recency) autocomplete="off"; }
                div.limits { label for="frequency" { (t!("value-limit-frequency")) } input #frequency name="frequency" value=(frequency) autocomplete="off"; }
                div.limits { label for="monetary" { (t!("value-limit-monetary")) } input #monetary name="monetary" value=(monetary) autocomplete="off"; }
            }
            button.btn { (t!("show")) }
        }
    }
}

fn totals(value: &Value) -> Markup {
    let counted = &value.counted;
    html! {
        section.figs aria-label=(t!("value-totals-label")) {
            @for total in &counted.totals {
                div.card.fig {
                    span.k { (t!("value-revenue-in", currency = total.currency.as_str())) }
                    b { (layout::money(total.amount, &total.currency)) }
                    span.asof { (rich!("value-total-of", purchases = total.purchases, customers = total.customers; date = layout::date(&date(value.as_of).to_string()))) }
                }
            }
        }
        @if value.incomplete > 0 { p.hint { (t!("value-incomplete", n = value.incomplete)) } }
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
                words::decimal(cell.monetary as f64 / cell.customers.max(1) as f64, 1),
            ]
        })
        .collect();
    html! {
        section.card aria-labelledby="rfm-title" {
            div.bar { h2 #rfm-title { (t!("value-rf")) } span.grow {} span.k { (t!("value-customers-in", currency = counted.currency.as_str())) } }
            p.hint { @if ask.by == "limits" { (t!("value-rf-note-limits")) } @else { (t!("value-rf-note")) } }
            div.heat role="table" aria-label=(t!("value-rf-label")) {
                div.heat-row role="row" { span role="columnheader" { span.vh { (t!("value-recency")) } } @for f in 1..=5 { span role="columnheader" { "F" (f) } } }
                @for r in (0..5).rev() {
                    div.heat-row role="row" {
                        span role="rowheader" { "R" (r + 1) }
                        @for f in 0..5 {
                            @let cell = counted.grid[r][f];
                            @let level = charts::heat(cell.customers, max);
                            @let title = t!("value-cell", customers = t!("n-customers", n = cell.customers), r = (r + 1) as u64, f = (f + 1) as u64, amount = layout::money(cell.amount, &counted.currency));
                            div.cell.{ "h" (level) } role="cell" title=(title) {
                                @if linked && cell.customers > 0 {
                                    a href=(url::with("/segments", &[("filter", &format!("recency:{} frequency:{}", r + 1, f + 1))])) aria-label=(title) { (layout::count(cell.customers)) }
                                } @else { (layout::count(cell.customers)) }
                            }
                        }
                    }
                }
            }
            (charts::table(&[t!("class"), t!("customers"), t!("revenue"), t!("value-each"), t!("value-mean-m")], &rows))
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
            div.bar { h2 #moves-title { (t!("value-moved")) } span.grow {} span.k { (t!("value-moved-against")) } }
            div.scroll tabindex="0" role="region" aria-label=(t!("value-moves-label")) {
                table.tight-table {
                    thead { tr { th scope="col" { (t!("value-group")) } th.num scope="col" { (t!("value-now")) } th.num scope="col" { (t!("value-came")) } th.num scope="col" { (t!("value-first")) } th.num scope="col" { (t!("value-left")) } } }
                    tbody {
                        @for group in Group::ALL {
                            @let (all, stayed, first) = (now(group), stayed(group), first(group));
                            tr {
                                th scope="row" { (group_name(group)) div.asof { (group.rule()) } }
                                td.num { (layout::count(all)) }
                                td.num.muted { @if all > stayed + first { "+" (layout::count(all - stayed - first)) } @else { "–" } }
                                td.num.muted { @if first > 0 { "+" (layout::count(first)) } @else { "–" } }
                                td.num.muted { @if left(group) > 0 { "−" (layout::count(left(group))) } @else { "–" } }
                            }
                        }
                    }
                }
            }
            p.hint { (t!("value-moves-note")) }
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
        .map(|((from, to), count)| {
            (*count, from.map_or_else(|| t!("value-no-customer"), group_name), group_name(*to))
        })
        .collect();
    flows.sort_by(|a, b| b.cmp(a));
    let rows: Vec<Vec<String>> = flows
        .into_iter()
        .map(|(count, from, to)| vec![format!("{from} → {to}"), layout::count(count)])
        .collect();
    html! { @if !rows.is_empty() { (charts::table(&[t!("value-from-to"), t!("customers")], &rows)) } }
}

/// What a group is called, in the reader's language.
fn group_name(group: Group) -> String {
    let id = group.name().to_lowercase().replace(' ', "-");
    words::text_or("group", &id, || group.name().to_owned())
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
            div.bar { h2 #abc-title { (t!("value-abc")) } span.grow {} span.k { (counted.currency) } }
            @if counted.curve.is_empty() { (layout::empty(&t!("value-no-revenue"), html! { (t!("value-no-revenue-text")) })) } @else {
                (charts::curve(&t!("value-curve-label"), &counted.curve, &counted.marks()))
                p.hint { (t!("value-curve-note")) }
            }
            div.scroll tabindex="0" role="region" aria-label=(t!("value-abc-label")) {
                table.tight-table {
                    thead { tr { th scope="col" { (t!("class")) } th.num scope="col" { (t!("customers")) } th.num scope="col" { (t!("revenue")) } th.num scope="col" { (t!("share")) } } }
                    tbody { @for class in Class::ALL {
                        @let part = counted.classes[class as usize];
                        tr {
                            th scope="row" { b { (class.name()) } " " span.k { (match class { Class::A => t!("value-a"), Class::B => t!("value-b"), Class::C => t!("value-c") }) } }
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
            label: words::month_of(month.start),
            value: major(month.amount, currency),
            text: format!(
                "{}: {}",
                words::month_of(month.start),
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
                words::month_of(month.start),
                layout::count(month.purchases),
                layout::money(month.amount, currency),
            ]
        })
        .collect();
    html! {
        section.card aria-labelledby="months-title" {
            div.bar { h2 #months-title { (t!("value-seasons")) } span.grow {} span.k { (currency) } }
            (charts::bars(&t!("value-months-label"), &bars, None))
            (charts::table(&[t!("month"), t!("purchases"), t!("revenue")], &rows))
            @if let Some(season) = &counted.season {
                h3.sub { (t!("value-season")) }
                @let bars: Vec<Bar> = season.iter().zip(words::months()).map(|(index, month)| Bar { label: month.chars().take(1).collect::<String>().to_uppercase(), value: *index, text: format!("{month}: {index:.0}") }).collect();
                (charts::bars(&t!("value-season-label"), &bars, Some(100.0)))
                @let rows: Vec<Vec<String>> = season.iter().zip(words::months()).map(|(index, month)| vec![month, format!("{index:.0}")]).collect();
                (charts::table(&[t!("month"), t!("value-index")], &rows))
            } @else { p.hint { (t!("value-season-none")) } }
        }
    }
}

fn silent(value: &Value, ask: &Ask) -> Markup {
    let currency = &value.counted.currency;
    html! {
        section.card.list aria-labelledby="silent-title" {
            div.bar.pad { h2 #silent-title { (t!("value-silent")) } span.grow {} span.k { (t!("n-customers", n = value.counted.silent_all)) } }
            @if !ask.months.is_empty() {
                (layout::empty(&t!("value-choose-all"), html! { (t!("value-choose-all-text")) }))
            } @else if value.silent.is_empty() {
                (layout::empty(&t!("value-silent-none"), html! { (t!("value-silent-none-text")) }))
            } @else {
                table {
                    caption.vh { (t!("value-silent-caption")) }
                    thead { tr { th scope="col" { (t!("customer")) } th.mid scope="col" { (t!("owner")) } th.num scope="col" { (t!("value-silent-for")) } th.wide.num scope="col" { (t!("value-usual")) } th.wide.num scope="col" { (t!("purchases")) } th.num scope="col" { (t!("revenue")) } } }
                    tbody { @for one in &value.silent {
                        @let customer = &one.customer;
                        tr {
                            th scope="row" { a.name href={ "/contacts/" (one.id) } { (one.name) } div.narrow.k { (one.owner.clone().unwrap_or_else(|| t!("nobody"))) } }
                            td.mid { (one.owner.clone().unwrap_or_else(|| t!("nobody"))) }
                            td.num { (t!("n-days", n = one.days.unsigned_abs())) }
                            td.wide.num.muted { @if customer.purchases > 1 { (t!("value-every", span = t!("n-days", n = (customer.last - customer.first) / (customer.purchases as i32 - 1)))) } @else { (t!("value-once")) } }
                            td.wide.num.muted { (customer.purchases) }
                            td.num { (layout::money(customer.amount, currency)) }
                        }
                    } }
                }
                p.hint.pad { (t!("value-silent-note", days = habits::SILENT_DAYS_MIN, once = habits::SILENT_ONCE_DAYS)) }
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
            div.bar { h2 #nps-title { (t!("value-nps")) } span.grow {} span.k { (t!("value-nps-what")) } }
            @match all.score() {
                None => (layout::empty(&t!("value-nps-none"), html! { (t!("value-nps-none-text")) })),
                Some(score) => {
                    div.two {
                        div {
                            div.fig { b { (if score < 0 { format!("−{}", -score) } else { score.to_string() }) } span.asof { (t!("value-nps-answers", n = all.all(), promoters = all.promoters, passives = all.passives, detractors = all.detractors)) } }
                            @let bars: Vec<Bar> = value.answers.iter().map(|(start, month)| Bar { label: words::month_of(*start), value: month.score().unwrap_or(0) as f64, text: format!("{}: {}", words::month_of(*start), month.score().map_or(t!("value-nps-no-answer"), |score| score.to_string())) }).collect();
                            (charts::bars(&t!("value-nps-label"), &bars, None))
                            @let rows: Vec<Vec<String>> = value.answers.iter().rev().map(|(start, month)| vec![words::month_of(*start), month.score().map_or("–".to_owned(), |score| score.to_string()), month.promoters.to_string(), month.passives.to_string(), month.detractors.to_string()]).collect();
                            (charts::table(&[t!("month"), t!("value-score"), "9–10".to_owned(), "7–8".to_owned(), "0–6".to_owned()], &rows))
                        }
                        ul.lines {
                            @if value.comments.is_empty() { li { span.k { (t!("value-no-comment")) } } }
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
