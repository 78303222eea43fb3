//! Words of the agent string: `key=value` separated by commas, with a backslash before what is meant literally.

use std::borrow::Cow;

/// Characters that a backslash makes literal. Before any other character the backslash stands for itself.
const ESCAPABLE: [u8; 4] = *b",;=\\";

/// One word of the agent string, its escapes still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// What stands before the first `=`.
    pub(super) key: &'a str,
    /// What stands after it; `None` for a word without `=`.
    pub(super) value: Option<&'a str>,
}

/// Splits the agent string at its commas; blanks around a word and empty words do not count.
pub(super) fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    split(text, b',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| match find(word, b'=') {
            Some(at) => Word {
                key: word[..at].trim_end(),
                value: Some(word[at + 1..].trim_start()),
            },
            None => Word {
                key: word,
                value: None,
            },
        })
}

/// Splits at each `separator` that no backslash makes literal.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match find(text, separator) {
            Some(at) => {
                rest = Some(&text[at + 1..]);
                Some(&text[..at])
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

/// Takes the backslashes out that make the next character literal.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let literal = match (character, rest.peek()) {
            ('\\', Some(&next)) if is_escapable(next) => rest.next().unwrap_or(next),
            _ => character,
        };
        plain.push(literal);
    }
    Cow::Owned(plain)
}

/// Writes `text` so that the agent string gives it back.
#[cfg(test)]
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escapable(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn is_escapable(character: char) -> bool {
    u8::try_from(character).is_ok_and(|byte| ESCAPABLE.contains(&byte))
}

/// Position of the first `wanted` that no backslash makes literal. `wanted` is ASCII, so the position is a boundary.
fn find(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\\'
            && bytes
                .get(at + 1)
                .is_some_and(|next| ESCAPABLE.contains(next))
        {
            at += 2;
        } else if bytes[at] == wanted {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(&str, Option<&str>)> {
        words(text).map(|word| (word.key, word.value)).collect()
    }

    #[test]
    fn splits_into_keys_and_values() {
        for (text, expected) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("strict", vec![("strict", None)]),
            ("a=1,b=2", vec![("a", Some("1")), ("b", Some("2"))]),
            ("a=1,,b=", vec![("a", Some("1")), ("b", Some(""))]),
            (" a = 1 , b ", vec![("a", Some("1")), ("b", None)]),
            ("a=b=c", vec![("a", Some("b=c"))]),
            (r"a=1\,2,b=3", vec![("a", Some(r"1\,2")), ("b", Some("3"))]),
            (r"a\=b=c", vec![(r"a\=b", Some("c"))]),
            (r"a=1\\,b=2", vec![("a", Some(r"1\\")), ("b", Some("2"))]),
            (r"a=\", vec![("a", Some(r"\"))]),
            ("=x", vec![("", Some("x"))]),
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
    }

    #[test]
    fn unescapes_only_what_needs_it() {
        for (text, expected) in [
            ("plain", "plain"),
            (r"a\,b\;c\=d\\e", r"a,b;c=d\e"),
            (r"C:\temp\new", r"C:\temp\new"),
            (r"end\", r"end\"),
            (r"\\\,", r"\,"),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn escaped_values_come_back(values in proptest::collection::vec("[^ \\t\\r\\n]{1,12}|[a,;=\\\\]{1,6}", 1..6)) {
            let values: Vec<String> = values.into_iter().map(|value| value.trim().to_owned()).collect();
            let text = values.iter().map(|value| format!("k={}", escape(value))).collect::<Vec<_>>().join(",");
            let back: Vec<String> =
                words(&text).map(|word| unescape(word.value.unwrap_or_default()).into_owned()).collect();
            prop_assert_eq!(back, values);
        }
    }
}
