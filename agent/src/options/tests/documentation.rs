//! The options as `docs/options.md` has them.

use super::*;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md"));

/// The cells of the table under that heading, line by line, without its head.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let section = DOCUMENT
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").map(str::trim).collect())
        .skip(2)
        .collect()
}

/// The words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn names_all_options_and_no_other() {
    let documented: Vec<&str> = table("All options")
        .iter()
        .map(|row| quoted(row[0])[0])
        .collect();
    assert_eq!(documented, KEYS.map(|key| key.name));
}

#[test]
fn names_the_defaults() {
    for (row, setting) in table("All options")
        .iter()
        .zip(parse("", &NoSources).settings())
    {
        let default = quoted(row[1]).first().copied().unwrap_or_default();
        assert_eq!(default, setting.value, "{}", setting.name);
    }
}

#[test]
fn names_the_other_sources_in_their_order() {
    for (row, key) in table("All options").iter().zip(KEYS) {
        let sources: Vec<&str> = key
            .properties
            .iter()
            .chain([&key.variable])
            .chain(key.variables)
            .chain(key.generic)
            .copied()
            .collect();
        assert_eq!(quoted(row[3]), sources, "{}", key.name);
    }
}

#[test]
fn names_what_is_for_later() {
    let section = DOCUMENT.split("\n## Not in this version\n").nth(1).unwrap();
    let sentence = section.split(" are known words").next().unwrap();
    assert_eq!(quoted(sentence), LATER);
}

#[test]
fn names_the_actions_of_async_profiler() {
    let rows = table("Strings written for async-profiler");
    let documented: Vec<&str> = rows[..4].iter().flat_map(|row| quoted(row[0])).collect();
    for name in documented {
        let parsed = parse(name, &NoSources);
        let is_action = parsed
            .complaints
            .iter()
            .all(|complaint| complaint.severity == Severity::Note);
        assert!(is_action, "{name}");
    }
}

#[test]
fn examples_are_right() {
    let examples = DOCUMENT
        .split("libjprof.so=")
        .skip(1)
        .filter_map(|text| text.split([' ', '\n', '`', '\'']).next());
    let mut count = 0;
    for example in examples {
        assert_eq!(lines(&parse(example, &NoSources)), [""; 0], "{example}");
        count += 1;
    }
    assert!(count >= 4, "{count}");
}
