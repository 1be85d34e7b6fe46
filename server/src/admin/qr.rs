//! A code as a picture that a phone's camera reads, drawn with the characters of a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The picture, two modules a character, dark on light whatever the terminal's colours. `None` if
/// the text is too long for one.
pub fn terminal(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(
        code.render::<Dense1x2>()
            // Terminals are mostly light on dark: the light modules are the drawn ones.
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .quiet_zone(true)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_of_half_blocks() {
        let picture = terminal("roadbook://enrol?url=https%3A%2F%2Fx&code=ABCD").unwrap();
        let lines: Vec<&str> = picture.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(terminal(&"x".repeat(5_000)).is_none());
    }
}
