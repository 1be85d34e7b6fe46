//! Charts as SVG that the server draws: no script, so that they print, stand still under the strict
//! policy and cost a page a few kilobytes. A table with the same figures stands behind each.
//!
//! All are 360 units wide, which is how wide a phone shows them, so that their text is never small.
//! Colours come from classes of the style sheet.

use maud::{Markup, html};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 180.0;
/// Room for the words below, and for the figures at the left.
const BELOW: f64 = 22.0;
const LEFT: f64 = 34.0;
const TOP: f64 = 10.0;
/// More letters than this below the bars would overlap.
const LETTERS_MAX: usize = 42;

fn x(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - 6.0)
}

fn y(share: f64) -> f64 {
    TOP + (1.0 - share) * (HEIGHT - TOP - BELOW)
}

fn at(number: f64) -> String {
    format!("{number:.1}")
}

/// A curve of shares over shares, with lines at some of them.
pub(super) fn curve(label: &str, points: &[(f64, f64)], lines: &[(f64, &str)]) -> Markup {
    let path: Vec<String> =
        points.iter().map(|(a, b)| format!("{},{}", at(x(*a)), at(y(*b)))).collect();
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            @for share in [0.0, 0.5, 1.0] {
                line.grid x1=(at(x(0.0))) x2=(at(x(1.0))) y1=(at(y(share))) y2=(at(y(share))) {}
                text x=(at(LEFT - 6.0)) y=(at(y(share) + 4.0)) text-anchor="end" { (format!("{:.0} %", share * 100.0)) }
            }
            @for (share, name) in lines {
                line.mark x1=(at(x(*share))) x2=(at(x(*share))) y1=(at(y(0.0))) y2=(at(y(1.0))) {}
                text x=(at(x(*share) + 4.0)) y=(at(y(0.0) - 6.0)) { (name) }
            }
            polyline.curve points=(path.join(" ")) {}
            @for share in [0.0, 0.5, 1.0] {
                text x=(at(x(share))) y=(at(HEIGHT - 5.0)) text-anchor=(if share == 1.0 { "end" } else { "middle" }) { (format!("{:.0} %", share * 100.0)) }
            }
        }
    }
}

/// One bar.
pub(super) struct Bar {
    /// Below it.
    pub label: String,
    /// How high.
    pub value: f64,
    /// What it says when it is pointed at.
    pub text: String,
}

/// Bars side by side, from zero; a line at `line`, if there is one.
pub(super) fn bars(label: &str, bars: &[Bar], line: Option<f64>) -> Markup {
    let top =
        bars.iter().map(|bar| bar.value).chain(line).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let low = bars.iter().map(|bar| bar.value).fold(0.0, f64::min);
    let share = |value: f64| (value - low) / (top - low);
    let step = 1.0 / bars.len().max(1) as f64;
    let letters = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    let every = (bars.len() * letters).div_ceil(LETTERS_MAX).max(1);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            line.grid x1=(at(x(0.0))) x2=(at(x(1.0))) y1=(at(y(share(0.0)))) y2=(at(y(share(0.0)))) {}
            text x=(at(LEFT - 6.0)) y=(at(y(share(0.0)) + 4.0)) text-anchor="end" { "0" }
            @if top > f64::MIN_POSITIVE { text x=(at(LEFT - 6.0)) y=(at(y(1.0) + 8.0)) text-anchor="end" { (short(top)) } }
            @if low < 0.0 { text x=(at(LEFT - 6.0)) y=(at(y(0.0))) text-anchor="end" { (short(low)) } }
            @for (n, bar) in bars.iter().enumerate() {
                @let (from, to) = (share(bar.value.min(0.0)), share(bar.value.max(0.0)));
                @let left = x(step * (n as f64 + 0.15));
                rect.bar x=(at(left)) y=(at(y(to))) width=(at(x(step * (n as f64 + 0.85)) - left)) height=(at((y(from) - y(to)).max(0.5))) rx="2" { title { (bar.text) } }
                @if n % every == 0 { text x=(at(x(step * (n as f64 + 0.5)))) y=(at(HEIGHT - 5.0)) text-anchor="middle" { (bar.label) } }
            }
            @if let Some(line) = line { line.mark x1=(at(x(0.0))) x2=(at(x(1.0))) y1=(at(y(share(line)))) y2=(at(y(share(line)))) {} }
        }
    }
}

/// A number in few letters: `12 k`, `3.4 M`.
pub(super) fn short(value: f64) -> String {
    let (sign, size) = (if value < 0.0 { "−" } else { "" }, value.abs());
    let (number, unit) = match size {
        _ if size >= 1e9 => (size / 1e9, " G"),
        _ if size >= 1e6 => (size / 1e6, " M"),
        _ if size >= 1e4 => (size / 1e3, " k"),
        _ => (size, ""),
    };
    let digits = usize::from(number < 10.0 && number.fract() > 0.05);
    {
        let number = super::words::decimal(number, digits);
        format!("{sign}{number}{unit}")
    }
}

/// A level from 0 to 9 for the colour of a cell, so that small counts are told apart too.
pub(super) fn heat(count: u64, max: u64) -> usize {
    if count == 0 || max == 0 {
        return 0;
    }
    1 + (8.0 * (count as f64 / max as f64).sqrt()).round() as usize
}

/// The table behind a chart.
pub(super) fn table(head: &[String], rows: &[Vec<String>]) -> Markup {
    html! {
        details.behind-chart {
            summary { (t!("as-a-table")) }
            div.scroll tabindex="0" role="region" aria-label=(t!("figures-as-a-table")) {
                table.tight-table {
                    thead { tr { @for (n, cell) in head.iter().enumerate() { th.num[n > 0] scope="col" { (cell) } } } }
                    tbody { @for row in rows { tr { @for (n, cell) in row.iter().enumerate() { @if n == 0 { th scope="row" { (cell) } } @else { td.num { (cell) } } } } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_few_letters() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(9_999.0), "9999");
        assert_eq!(short(12_345.0), "12 k");
        assert_eq!(short(-3_400_000.0), "−3.4 M");
    }

    #[test]
    fn a_cell_with_anybody_in_it_is_not_of_the_empty_colour() {
        assert_eq!(heat(0, 50), 0);
        assert_eq!(heat(1, 100_000), 1);
        assert_eq!(heat(50, 50), 9);
    }

    #[test]
    fn charts_without_anything_in_them_are_drawn() {
        let none = bars("nothing", &[], None).into_string();
        assert!(!none.contains("NaN") && !none.contains("inf"), "{none}");
        let flat = Bar { label: "Jan".into(), value: 0.0, text: "<0>".into() };
        let drawn = bars("flat", &[flat], None).into_string();
        assert!(!drawn.contains("NaN") && drawn.contains("&lt;0&gt;"), "{drawn}");
    }
}
