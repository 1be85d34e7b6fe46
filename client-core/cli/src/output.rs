//! Text for people, JSON for programs.

use std::io::Write;

use serde::Serialize;

use crate::error::Failure;

/// Where data goes, and in which form.
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON, or text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints the JSON, or else the text.
    pub fn print(
        &self,
        json: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string_pretty(json).map_err(|error| {
                Failure::Usage(format!("this can't be written as JSON: {error}"))
            })?
        } else {
            text()
        };
        self.raw(&text)
    }

    /// Prints as it is.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write!(stdout, "{text}{line_end}")
            .and_then(|()| stdout.flush())
            .map_err(Failure::io("standard output"))
    }
}

/// Columns, padded by characters, the last one unpadded.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            rows.iter()
                .filter_map(|row| row.get(c))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if c + 1 < row.len() {
                let pad = widths[c].saturating_sub(cell.chars().count()) + 2;
                line.extend(std::iter::repeat_n(' ', pad));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time as people read it, UTC.
pub fn time(unix_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(unix_ms)
        .map_or_else(|| format!("{unix_ms} ms"), |time| time.format("%Y-%m-%d %H:%M").to_string())
}

/// Bytes as people read them.
pub fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_999 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters_and_not_by_bytes() {
        let rows = vec![vec!["Ø".into(), "x".into()], vec!["ab".into(), "y".into()]];
        assert_eq!(table(&rows), "Ø   x\nab  y\n");
    }

    #[test]
    fn a_time_is_readable_and_never_panics() {
        assert_eq!(time(0), "1970-01-01 00:00");
        assert_eq!(time(i64::MAX), format!("{} ms", i64::MAX));
    }
}
