//! Text that anyone may have sent, as HTML.

use std::fmt::{self, Display, Write};

/// Shows a text as text: markup is escaped, and what is invisible or turns the direction of
/// writing is shown by its number, so that no name can pretend to be another.
pub(crate) struct Text<'a>(pub(crate) &'a str);

/// The same for a text that may be longer: a line of JSON.
pub(crate) struct Long<'a>(pub(crate) &'a str);

/// The longest name that a page shows, in characters.
const LONGEST_NAME: usize = 400;
/// The longest line that a page shows, in characters.
const LONGEST_LINE: usize = 8_000;

impl Display for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(out, self.0, LONGEST_NAME)
    }
}

impl Display for Long<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(out, self.0, LONGEST_LINE)
    }
}

fn write_escaped(out: &mut fmt::Formatter<'_>, text: &str, longest: usize) -> fmt::Result {
    for character in text.chars().take(longest) {
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
    if text.chars().nth(longest).is_some() {
        write!(out, "… ({} characters)", text.chars().count())?;
    }
    Ok(())
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

/// A number with its unit, for people; nothing when it reads well as it is.
pub(crate) struct Human<'a>(pub(crate) &'a serde_json::Number, pub(crate) &'a str);

impl Display for Human<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.as_f64().unwrap_or(0.0);
        let size = value.abs();
        match self.1 {
            "ns" if size >= 1e9 => write!(out, "{:.3} s", value / 1e9),
            "ns" if size >= 1e6 => write!(out, "{:.3} ms", value / 1e6),
            "ns" if size >= 1e3 => write!(out, "{:.3} µs", value / 1e3),
            "bytes" if value >= 1024.0 => Size(value as u64).fmt(out),
            "bytes/s" if value >= 1024.0 => write!(out, "{}/s", Size(value as u64)),
            _ => Ok(()),
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
    fn large_numbers_are_also_written_for_people() {
        let human = |value: u64, unit| Human(&value.into(), unit).to_string();
        assert_eq!(human(2_161_002_080, "ns"), "2.161 s");
        assert_eq!(human(3_293_386, "ns"), "3.293 ms");
        assert_eq!(human(12, "ns"), "");
        assert_eq!(human(2048, "bytes/s"), "2.0 KiB/s");
        assert_eq!(human(5_000, "classes"), "");
    }

    #[test]
    fn sizes_have_a_unit() {
        let sizes = [1023, 1024, 1_572_864].map(|bytes| Size(bytes).to_string());
        assert_eq!(sizes, ["1023 B", "1.0 KiB", "1.5 MiB"]);
    }
}
