//! Which Java a JVM runs, and what is known against AsyncGetCallTrace in it.

use std::fmt;

/// A Java version: `8u504` is 8.0.504, `17.0.15+6` is 17.0.15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaVersion {
    /// The release: 8, 11, 17 …
    pub feature: u32,
    /// 0 for every release since 10.
    pub interim: u32,
    /// The update: 15 in `17.0.15`, 504 in `8u504`.
    pub update: u32,
    /// The patch: 1 in `11.0.32.1`.
    pub patch: u32,
}

impl JavaVersion {
    /// The releases whose structures are known.
    pub const KNOWN: std::ops::RangeInclusive<u32> = 8..=25;

    /// A version by its numbers.
    pub const fn new(feature: u32, interim: u32, update: u32, patch: u32) -> JavaVersion {
        JavaVersion {
            feature,
            interim,
            update,
            patch,
        }
    }

    /// Reads what `java.version`, `java.runtime.version`, `java.vm.version` and the JVM's release string look like:
    /// `1.8.0_504-8u504-ga-1-b01`, `25.504-b01` (the VM of 8), `11.0.32.1+1-post`, `25+36`, `21-ea`.
    pub fn parse(text: &str) -> Option<JavaVersion> {
        if let Some(rest) = text.strip_prefix("1.8.0") {
            let update = rest.strip_prefix('_').and_then(leading_number).unwrap_or(0);
            return Some(JavaVersion::new(8, 0, update, 0));
        }
        let end = text
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let feature = numbers.next()??;
        let interim = numbers.next();
        // The VM of Java 8 has a version of its own, 25.<update>-b<build>, with two numbers and without a plus.
        if let (25, Some(Some(update)), None) = (feature, interim, numbers.clone().next())
            && rest.starts_with("-b")
        {
            return Some(JavaVersion::new(8, 0, update, 0));
        }
        let or_zero = |number: Option<Option<u32>>| number.map_or(Some(0), |number| number);
        Some(JavaVersion {
            feature,
            interim: or_zero(interim)?,
            update: or_zero(numbers.next())?,
            patch: or_zero(numbers.next())?,
        })
    }

    /// Whether the release's structures are known.
    pub fn is_known(&self) -> bool {
        JavaVersion::KNOWN.contains(&self.feature)
    }
}

impl fmt::Display for JavaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            JavaVersion {
                feature: 8, update, ..
            } => write!(f, "8u{update}"),
            JavaVersion {
                feature,
                interim,
                update,
                patch: 0,
            } => write!(f, "{feature}.{interim}.{update}"),
            JavaVersion {
                feature,
                interim,
                update,
                patch,
            } => write!(f, "{feature}.{interim}.{update}.{patch}"),
        }
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Whether a JVM is HotSpot, by the property `java.vm.name`: OpenJDK, Oracle and the vendors that keep the name,
/// but neither OpenJ9 nor GraalVM's native images (which load no agents of this kind). The interpreter-only build (`Zero`) is
/// HotSpot, too.
pub fn is_hotspot(vm_name: &str) -> bool {
    (vm_name.contains("HotSpot") || vm_name.contains("OpenJDK")) && !vm_name.contains("OpenJ9")
}

/// What is known of AsyncGetCallTrace in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgctAdvice {
    /// Nothing is known against it.
    Safe,
    /// It can end the JVM, though seldom. No handler of faults helps against an abort.
    Risky {
        /// The bug's number.
        bug: &'static str,
        /// What happens.
        effect: &'static str,
    },
}

/// Looks a version up in the list of bugs by which AsyncGetCallTrace ends the JVM. A text that is no version is not safe.
///
/// The bounds are those of the fixes in the update releases of OpenJDK; a release whose updates ended before a fix
/// has the bug to its end.
pub fn agct_advice(version: &str) -> AgctAdvice {
    let Some(version) = JavaVersion::parse(version) else {
        return AgctAdvice::Risky {
            bug: "unknown version",
            effect: "nothing is known of it",
        };
    };
    let entry = AGCT_BUGS
        .iter()
        .find(|entry| entry.first <= version && version < entry.fixed);
    entry.map_or(AgctAdvice::Safe, |entry| AgctAdvice::Risky {
        bug: entry.bug,
        effect: entry.effect,
    })
}

struct AgctBug {
    first: JavaVersion,
    /// The first version without it.
    fixed: JavaVersion,
    bug: &'static str,
    effect: &'static str,
}

const ZOMBIE: &str = "aborts at \"unsafe access to zombie method\"";
const METHOD_POINTER: &str = "faults on an unreadable method pointer in an interpreter frame";
const SENDER: &str = "faults while it looks for a frame's sender";

const AGCT_BUGS: &[AgctBug] = &[
    bug("JDK-8283849", ZOMBIE, v(8, 0), v(8, 352)),
    bug("JDK-8339133", ZOMBIE, v(8, 352), v(8, 442)),
    bug("JDK-8283849", ZOMBIE, v(9, 0), v(11, 17)),
    bug("JDK-8313796", METHOD_POINTER, v(11, 17), v(11, 21)),
    bug("async-profiler issue 1364", SENDER, v(11, 27), v(11, 28)),
    bug("JDK-8283849", ZOMBIE, v(12, 0), v(17, 5)),
    bug("JDK-8313796", METHOD_POINTER, v(17, 5), v(17, 9)),
    // The two changes that brought it back were seen in 17.0.13; their mending came after 17.0.15 was cut.
    bug("JDK-8352649", ZOMBIE, v(17, 13), v(17, 16)),
    bug("JDK-8283849", ZOMBIE, v(18, 0), v(19, 0)),
    bug("JDK-8313796", METHOD_POINTER, v(19, 0), v(21, 1)),
    bug("dd-trace-java issue 9830", SENDER, v(25, 0), v(25, 1)),
];

const fn v(feature: u32, update: u32) -> JavaVersion {
    JavaVersion::new(feature, 0, update, 0)
}

const fn bug(
    bug: &'static str,
    effect: &'static str,
    first: JavaVersion,
    fixed: JavaVersion,
) -> AgctBug {
    AgctBug {
        first,
        fixed,
        bug,
        effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_all_their_spellings() {
        for (text, feature, update, patch) in [
            ("1.8.0_504", 8, 504, 0),
            ("1.8.0_504-8u504-ga-1-b01", 8, 504, 0),
            ("1.8.0", 8, 0, 0),
            ("1.8.0-internal", 8, 0, 0),
            ("25.504-b01", 8, 504, 0),
            ("25.71-b00", 8, 71, 0),
            ("11.0.32.1+1-post-1-deb11u1-Debian", 11, 32, 1),
            ("17.0.15+6-LTS", 17, 15, 0),
            ("17.0.21.1", 17, 21, 1),
            ("25+36-LTS", 25, 0, 0),
            ("25.0.3+9-LTS", 25, 3, 0),
            ("25", 25, 0, 0),
            ("25-ea", 25, 0, 0),
            ("27-ea+3", 27, 0, 0),
            ("11.0.18.0.102+1-LTS", 11, 18, 0),
        ] {
            assert_eq!(
                JavaVersion::parse(text),
                Some(JavaVersion::new(feature, 0, update, patch)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "java", "-17", ".", "17..3", "99999999999"] {
            assert_eq!(JavaVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_known_range_is_8_to_25() {
        let known = |text| JavaVersion::parse(text).unwrap().is_known();
        assert!(known("1.8.0_504") && known("25.0.5"));
        assert!(!known("7.0.1") && !known("26-ea"));
    }

    #[test]
    fn a_version_shows_as_people_write_it() {
        let shown = |text| JavaVersion::parse(text).unwrap().to_string();
        assert_eq!(shown("25.504-b01"), "8u504");
        assert_eq!(shown("17.0.15+6"), "17.0.15");
        assert_eq!(shown("11.0.32.1+1"), "11.0.32.1");
    }

    #[test]
    fn hotspot_is_known_by_its_name() {
        assert!(is_hotspot("OpenJDK 64-Bit Server VM"));
        assert!(is_hotspot("Java HotSpot(TM) 64-Bit Server VM"));
        assert!(!is_hotspot("Eclipse OpenJ9 VM"));
        assert!(!is_hotspot("IBM J9 VM"));
        assert!(!is_hotspot("Substrate VM"));
    }

    #[test]
    fn advice_changes_exactly_at_the_fixes() {
        let bug = |text| match agct_advice(text) {
            AgctAdvice::Safe => "",
            AgctAdvice::Risky { bug, .. } => bug,
        };
        for (text, expected) in [
            ("1.8.0_345", "JDK-8283849"),
            ("25.352-b08", "JDK-8339133"),
            ("1.8.0_432", "JDK-8339133"),
            ("1.8.0_442", ""),
            ("1.8.0_504", ""),
            ("11.0.16.1", "JDK-8283849"),
            ("11.0.17", "JDK-8313796"),
            ("11.0.21", ""),
            ("11.0.27+6", "async-profiler issue 1364"),
            ("11.0.28", ""),
            ("11.0.32.1", ""),
            ("16.0.2", "JDK-8283849"),
            ("17.0.4.1", "JDK-8283849"),
            ("17.0.8", "JDK-8313796"),
            ("17.0.9", ""),
            ("17.0.12", ""),
            ("17.0.13", "JDK-8352649"),
            ("17.0.15", "JDK-8352649"),
            ("17.0.16", ""),
            ("18.0.2", "JDK-8283849"),
            ("20.0.2", "JDK-8313796"),
            ("21+35", "JDK-8313796"),
            ("21.0.1", ""),
            ("24.0.1", ""),
            ("25+36", "dd-trace-java issue 9830"),
            ("25.0.3", ""),
            ("nonsense", "unknown version"),
        ] {
            assert_eq!(bug(text), expected, "{text}");
        }
    }
}
