//! Names of output files: text with a few variable parts.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;

/// The path of the output file, with parts that are filled in when a file is opened.
///
/// | part | is |
/// | --- | --- |
/// | `%p` | the process id |
/// | `%t` | the local time as `yyyyMMdd-HHmmss` |
/// | `%n` | the number of the file, from 1 |
/// | `%n{20}` | the same, from 1 to 20 and then from 1 again, so that 20 files stay |
/// | `%{NAME}` | the environment variable, nothing when it is not set |
/// | `%%` | a percent sign |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilePattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Pid,
    Time,
    Sequence { most: Option<NonZeroU64> },
    Variable(String),
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPattern {
    /// There is no text.
    #[error("is empty")]
    Empty,
    /// A percent sign with nothing behind it that means something.
    #[error("has a % that none of p, t, n, {{NAME}} and % follows")]
    UnknownPart,
    /// A brace that is not closed, or an empty or wrong text between two.
    #[error("has braces that hold no name, or after %n no number")]
    BadBraces,
    /// A byte that no path can hold.
    #[error("has a zero byte")]
    ZeroByte,
}

/// A date and time of day on the clock of the machine. It shows as `yyyyMMdd-HHmmss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalTime {
    /// The year, such as 2025.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl From<&libc::tm> for LocalTime {
    /// Takes what `localtime_r` gives; fields out of range become the next best value.
    fn from(tm: &libc::tm) -> LocalTime {
        let clamp = |value: i32, least: u8, most: u8| {
            u8::try_from(value.clamp(i32::from(least), i32::from(most))).unwrap_or(least)
        };
        LocalTime {
            year: tm.tm_year.saturating_add(1900),
            month: clamp(tm.tm_mon.saturating_add(1), 1, 12),
            day: clamp(tm.tm_mday, 1, 31),
            hour: clamp(tm.tm_hour, 0, 23),
            minute: clamp(tm.tm_min, 0, 59),
            second: clamp(tm.tm_sec, 0, 60),
        }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:04}{:02}{:02}-{:02}{:02}{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

/// What the variable parts of a pattern are filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternValues {
    /// The process id.
    pub pid: u32,
    /// When the file is opened.
    pub time: LocalTime,
    /// The number of the file in this recording, from 1; 0 counts as 1.
    pub sequence: u64,
}

impl FilePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<FilePattern, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.contains('\0') {
            return Err(BadPattern::ZeroByte);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_text(&mut parts, &rest[..at]);
            rest = &rest[at + 1..];
            let Some(kind) = rest.chars().next() else {
                return Err(BadPattern::UnknownPart);
            };
            match kind {
                'p' => parts.push(Part::Pid),
                't' => parts.push(Part::Time),
                '%' => push_text(&mut parts, "%"),
                '{' => {
                    let (name, behind) = braces(rest)?;
                    parts.push(Part::Variable(name.to_owned()));
                    rest = behind;
                    continue;
                }
                'n' if rest[1..].starts_with('{') => {
                    let (number, behind) = braces(&rest[1..])?;
                    let most = Some(number.parse().map_err(|_| BadPattern::BadBraces)?);
                    parts.push(Part::Sequence { most });
                    rest = behind;
                    continue;
                }
                'n' => parts.push(Part::Sequence { most: None }),
                _ => return Err(BadPattern::UnknownPart),
            }
            rest = &rest[kind.len_utf8()..];
        }
        push_text(&mut parts, rest);
        Ok(FilePattern {
            text: text.to_owned(),
            parts,
        })
    }

    /// Whether each period gets a file of its own: the pattern has a `%t` or a `%n`.
    pub fn has_sequence(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Time | Part::Sequence { .. }))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path for these values. `variable` looks up an environment variable.
    pub fn expand(
        &self,
        values: &PatternValues,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> PathBuf {
        let mut path = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Pid => path.push_str(&values.pid.to_string()),
                Part::Time => path.push_str(&values.time.to_string()),
                Part::Sequence { most } => {
                    let number = values.sequence.max(1);
                    let number = most.map_or(number, |most| (number - 1) % most + 1);
                    path.push_str(&number.to_string());
                }
                Part::Variable(name) => path.push_str(&variable(name).unwrap_or_default()),
            }
        }
        PathBuf::from(path)
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Adds literal text, to the last part where that is text too.
fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Splits `{name}rest`, which begins with the brace, into name and rest.
fn braces(text: &str) -> Result<(&str, &str), BadPattern> {
    let (name, rest) = text[1..].split_once('}').ok_or(BadPattern::BadBraces)?;
    if name.is_empty() || name.contains(['%', '{', '=']) {
        return Err(BadPattern::BadBraces);
    }
    Ok((name, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: PatternValues = PatternValues {
        pid: 4242,
        time: LocalTime {
            year: 2025,
            month: 3,
            day: 9,
            hour: 7,
            minute: 5,
            second: 1,
        },
        sequence: 23,
    };

    fn expand(text: &str) -> String {
        let variable = |name: &str| (name == "POD").then(|| "shop-1".to_owned());
        let path = FilePattern::parse(text).unwrap().expand(&VALUES, &variable);
        path.into_os_string().into_string().unwrap()
    }

    #[test]
    fn fills_in_the_parts() {
        for (text, expected, has_sequence) in [
            ("/tmp/x.jfr", "/tmp/x.jfr", false),
            ("%p.jfr", "4242.jfr", false),
            ("a-%t.jfr", "a-20250309-070501.jfr", true),
            ("a-%n.jfr", "a-23.jfr", true),
            ("a-%n{20}.jfr", "a-3.jfr", true),
            ("a-%n{23}.jfr", "a-23.jfr", true),
            ("%{POD}/%p-%{NONE}.jfr", "shop-1/4242-.jfr", false),
            ("100%%.jfr", "100%.jfr", false),
            ("%%t%%n.jfr", "%t%n.jfr", false),
            ("é%pé", "é4242é", false),
            ("%p%t", "424220250309-070501", true),
        ] {
            assert_eq!(expand(text), expected, "{text}");
            assert_eq!(
                FilePattern::parse(text).unwrap().has_sequence(),
                has_sequence,
                "{text}"
            );
        }
    }

    #[test]
    fn number_zero_counts_as_one() {
        let pattern = FilePattern::parse("%n{4}").unwrap();
        let names = [0, 1, 4, 5, u64::MAX].map(|sequence| {
            let values = PatternValues { sequence, ..VALUES };
            pattern.expand(&values, &|_| None)
        });
        assert_eq!(names, ["1", "1", "4", "1", "3"].map(PathBuf::from));
    }

    #[test]
    fn refuses_what_means_nothing() {
        for (text, expected) in [
            ("", BadPattern::Empty),
            ("a%", BadPattern::UnknownPart),
            ("a%x", BadPattern::UnknownPart),
            ("a%é", BadPattern::UnknownPart),
            ("%{", BadPattern::BadBraces),
            ("%{}", BadPattern::BadBraces),
            ("%{A", BadPattern::BadBraces),
            ("%{A%p}", BadPattern::BadBraces),
            ("%n{0}", BadPattern::BadBraces),
            ("%n{x}", BadPattern::BadBraces),
            ("%n{3", BadPattern::BadBraces),
            ("a\0b", BadPattern::ZeroByte),
        ] {
            assert_eq!(FilePattern::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn time_from_the_c_library() {
        let mut tm = empty_tm();
        (tm.tm_year, tm.tm_mon, tm.tm_mday) = (125, 2, 9);
        (tm.tm_hour, tm.tm_min, tm.tm_sec) = (7, 5, 1);
        assert_eq!(LocalTime::from(&tm), VALUES.time);
        (tm.tm_mon, tm.tm_sec) = (99, -1);
        assert_eq!(LocalTime::from(&tm).to_string(), "20251209-070500");
    }

    fn empty_tm() -> libc::tm {
        libc::tm {
            tm_sec: 0,
            tm_min: 0,
            tm_hour: 0,
            tm_mday: 0,
            tm_mon: 0,
            tm_year: 0,
            tm_wday: 0,
            tm_yday: 0,
            tm_isdst: 0,
            tm_gmtoff: 0,
            tm_zone: std::ptr::null(),
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([%{}ntpA0é/]|%n\\{|.){0,24}") {
            if let Ok(pattern) = FilePattern::parse(&text) {
                let path = pattern.expand(&VALUES, &|name| Some(format!("<{name}>")));
                if !text.contains('%') {
                    prop_assert_eq!(path, PathBuf::from(&text));
                }
                prop_assert_eq!(pattern.as_str(), text);
            }
        }
    }
}
