//! Text that anyone may have sent, as HTML.

use std::fmt::{self, Display, Write};

/// Shows a text as text: markup is escaped, and what is invisible or turns the direction of
/// writing is shown by its number, so that no name can pretend to be another.
pub(crate) struct Text<'a>(pub(crate) &'a str);

/// The longest text that a page shows, in characters.
const LONGEST: usize = 400;

impl Display for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(LONGEST) {
            match character {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                unseen if is_unseen(unseen) => write!(out, "\\u{:04x}", unseen as u32)?,
                plain => out.write_char(plain)?,
            }
        }
        if self.0.chars().nth(LONGEST).is_some() {
            write!(out, "… ({} characters)", self.0.chars().count())?;
        }
        Ok(())
    }
}

fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
}

/// A size for people.
pub(crate) struct Size(pub(crate) u64);

impl Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1024 => write!(out, "{} B", self.0),
            1024..1_048_576 => write!(out, "{:.1} KiB", bytes / 1024.0),
            _ => write!(out, "{:.1} MiB", bytes / 1_048_576.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_unseen_characters_become_text() {
        let text = Text("<img src=x onerror=\"a('1')\">\u{202e}&\n").to_string();
        assert_eq!(
            text,
            "&lt;img src=x onerror=&quot;a(&#39;1&#39;)&quot;&gt;\\u202e&amp;\\u000a"
        );
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let text = Text(&"é".repeat(65_536)).to_string();
        assert_eq!(text, format!("{}… (65536 characters)", "é".repeat(400)));
    }

    #[test]
    fn sizes_have_a_unit() {
        let sizes = [1023, 1024, 1_572_864].map(|bytes| Size(bytes).to_string());
        assert_eq!(sizes, ["1023 B", "1.0 KiB", "1.5 MiB"]);
    }
}
