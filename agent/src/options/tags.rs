//! Lists: tags as jprof, Datadog's tracers and flameshot write them, and lists of folders.

use super::grammar::{split, unescape};
use super::sources::{Candidate, Origin};

/// Tags in the order in which they were written, each name once: a later value replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) tags: Vec<(String, String)>,
    /// Pieces that are no tag.
    pub(super) wrong: Vec<String>,
}

/// Reads tags in the manner of their source: `dd.tags` and `DD_TAGS` at commas and blanks, `FLAMESHOT_TAGS` at commas,
/// all others at semicolons with our escapes.
pub(super) fn tags(candidate: &Candidate) -> Tags {
    let text = &candidate.text;
    let mut read = Tags::default();
    match candidate.origin {
        Origin::Property(_) | Origin::Variable("DD_TAGS") => text
            .split(|c: char| c == ',' || c.is_whitespace())
            .for_each(|piece| read.add(piece)),
        Origin::Variable("FLAMESHOT_TAGS") => text.split(',').for_each(|piece| read.add(piece)),
        _ => split(text, b';').for_each(|piece| read.add(&unescape(piece))),
    }
    read
}

impl Tags {
    /// Adds `name:value`; the value may hold further colons. An empty piece is none.
    fn add(&mut self, piece: &str) {
        let piece = piece.trim();
        if piece.is_empty() {
            return;
        }
        let (name, value) = piece.split_once(':').unwrap_or((piece, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            self.wrong.push(piece.to_owned());
            return;
        }
        self.take(name);
        self.tags.push((name.to_owned(), value.to_owned()));
    }

    /// Takes the tag of that name out of the list.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.tags.iter().position(|(known, _)| known == name)?;
        Some(self.tags.remove(at).1)
    }
}

/// Reads a list of folders.
pub(super) fn folders(text: &str) -> Vec<std::path::PathBuf> {
    split(text, b';')
        .map(unescape)
        .filter(|folder| !folder.trim().is_empty())
        .map(|folder| folder.trim().into())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn read(origin: Origin, text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let read = tags(&Candidate {
            text: text.to_owned(),
            origin,
            written_key: Cow::Borrowed("tags"),
        });
        (read.tags, read.wrong)
    }

    fn expected(tags: &[(&str, &str)], wrong: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
        (
            tags.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            wrong.iter().map(|piece| (*piece).to_owned()).collect(),
        )
    }

    #[test]
    fn each_source_in_its_manner() {
        for (origin, text, tags, wrong) in [
            (
                Origin::AgentString,
                "a:1;b:2",
                &[("a", "1"), ("b", "2")][..],
                &[][..],
            ),
            (
                Origin::AgentString,
                r"a:1\;2;b:x\,y;;c:http://h",
                &[("a", "1;2"), ("b", "x,y"), ("c", "http://h")],
                &[],
            ),
            (
                Origin::AgentString,
                "a:1;b;:3;c:",
                &[("a", "1")],
                &["b", ":3", "c:"],
            ),
            (
                Origin::AgentString,
                "a:1;b:2;a:3",
                &[("b", "2"), ("a", "3")],
                &[],
            ),
            (
                Origin::Variable("JPROF_TAGS"),
                "a:1 2;b:3,4",
                &[("a", "1 2"), ("b", "3,4")],
                &[],
            ),
            (
                Origin::Variable("DD_TAGS"),
                "a:1,b:2 c:3,  d:4",
                &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")],
                &[],
            ),
            (
                Origin::Property("dd.tags"),
                "a:1 b:2",
                &[("a", "1"), ("b", "2")],
                &[],
            ),
            (
                Origin::Variable("FLAMESHOT_TAGS"),
                "host: h one, pod_name:p",
                &[("host", "h one"), ("pod_name", "p")],
                &[],
            ),
        ] {
            assert_eq!(read(origin, text), expected(tags, wrong), "{text}");
        }
    }

    #[test]
    fn lists_of_folders() {
        assert_eq!(
            folders(r"/a;/b c; /d\;e ;"),
            ["/a", "/b c", "/d;e"].map(std::path::PathBuf::from)
        );
        assert!(folders(" ; ").is_empty());
    }
}
