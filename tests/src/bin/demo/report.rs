//! What the scene came to.

/// One line of the report.
struct Line {
    what: String,
    found: String,
    holds: bool,
}

/// What was claimed, what was found, and whether it held.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Adds a claim: `found` must equal `wanted`.
    pub fn equal<T: PartialEq + std::fmt::Display>(&mut self, what: &str, found: T, wanted: T) {
        let holds = found == wanted;
        let found = if holds { found.to_string() } else { format!("{found}, expected {wanted}") };
        self.lines.push(Line { what: what.into(), found, holds });
    }

    /// Adds a claim that is true or not.
    pub fn claim(&mut self, what: &str, found: impl Into<String>, holds: bool) {
        self.lines.push(Line { what: what.into(), found: found.into(), holds });
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.holds)
    }

    /// Prints it.
    pub fn print(&self) {
        println!();
        for line in &self.lines {
            println!(
                "  {} {:<44} {}",
                if line.holds { "ok " } else { "NOT" },
                line.what,
                line.found
            );
        }
    }
}
