//! What is wrong with the options, said in one line each.

use std::fmt;

use super::Origin;
use super::secrets::{is_secret_name, mask_text};

/// Characters of a value that a complaint repeats; the rest is cut, since nobody reads more of it in a log line.
const SHOWN_CHARACTERS: usize = 120;

/// How grave a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Worth saying, and held against nobody: a word of a later version, a double key, a strange value in another
    /// product's variable.
    Note,
    /// A wrong key or value in the agent string or in a `JPROF_` variable: with `strict` the start is refused.
    Wrong,
}

/// One thing that is wrong with the options. It shows as one line with key, value and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Complaint {
    /// The key as it was written, or the name of the property or variable.
    pub key: String,
    /// The value as it was written, secrets masked, cut after 120 characters; `None` for a word without a value.
    pub value: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
    /// Where the value was found.
    pub origin: Origin,
    /// Whether `strict` holds it against the user.
    pub severity: Severity,
}

impl Complaint {
    pub(super) fn new(
        severity: Severity,
        origin: Origin,
        key: &str,
        value: Option<&str>,
        message: impl Into<String>,
    ) -> Complaint {
        let value = value.map(|value| {
            if is_secret_name(key) {
                "***".to_owned()
            } else {
                one_line(&mask_text(value))
            }
        });
        Complaint {
            key: one_line(key),
            value,
            message: message.into(),
            origin,
            severity,
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.origin {
            Origin::Property(_) => "property ",
            Origin::Variable(_) => "variable ",
            Origin::AgentString | Origin::Default => "option ",
        })?;
        out.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(out, "={value}")?;
        }
        write!(out, ": {}", self.message)
    }
}

/// Cuts the text and writes its control characters as escapes, so that a log line stays one line.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut rest = text.chars();
    for character in rest.by_ref().take(SHOWN_CHARACTERS) {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if rest.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(origin: Origin, key: &str, value: Option<&str>) -> String {
        Complaint::new(Severity::Wrong, origin, key, value, "no").to_string()
    }

    #[test]
    fn is_one_line() {
        assert_eq!(line(Origin::AgentString, "a", Some("b")), "option a=b: no");
        assert_eq!(line(Origin::AgentString, "a", None), "option a: no");
        assert_eq!(
            line(Origin::Variable("A"), "A", Some("b")),
            "variable A=b: no"
        );
        assert_eq!(
            line(Origin::Property("a.b"), "a.b", Some("")),
            "property a.b=: no"
        );
        assert_eq!(
            line(Origin::AgentString, "a\nb", Some("c\r\nd\u{2028}")),
            "option a\\nb=c\\r\\nd\\u{2028}: no"
        );
    }

    #[test]
    fn hides_secrets_and_cuts_long_values() {
        assert_eq!(
            line(Origin::AgentString, "token", Some("abc")),
            "option token=***: no"
        );
        assert_eq!(
            line(Origin::AgentString, "url", Some("http://me:abc@h")),
            "option url=http://***@h: no"
        );
        let shown = line(Origin::AgentString, "a", Some(&"é".repeat(121)));
        assert_eq!(shown, format!("option a={}…: no", "é".repeat(120)));
    }
}
