//! Strings in async-profiler's manner: an action first, then its options, put into our own words.

use std::borrow::Cow;

use super::complaint::{Complaint, Severity};
use super::grammar::{Word, unescape};
use super::keys::{self, Key};
use super::sources::{Candidate, Origin};
use super::values::Action;

/// The words that make a string one of async-profiler's when they stand first, and what each is here.
const ACTIONS: [(&str, Action, &str); 11] = [
    ("start", Action::Start, ""),
    ("stop", Action::Stop, ""),
    ("status", Action::Status, ""),
    (
        "resume",
        Action::Nothing,
        "a stopped recording is not taken up again; use start",
    ),
    (
        "dump",
        Action::Nothing,
        "each period is written and uploaded when it ends",
    ),
    (
        "metrics",
        Action::Nothing,
        "the agent's own counters are in each recording; use jprof metrics FILE --counters",
    ),
    (
        "list",
        Action::Nothing,
        "the events are cpu, ctimer, itimer and the names of perf events",
    ),
    ("version", Action::Nothing, "use jprof --version"),
    ("collect", Action::Nothing, "use start"),
    ("check", Action::Nothing, "use start"),
    ("meminfo", Action::Nothing, "use status"),
];

/// The action that the first word of the string names.
pub(super) fn action(word: &Word<'_>) -> Option<(&'static str, Action, &'static str)> {
    ACTIONS
        .into_iter()
        .find(|&(name, ..)| word.value.is_none() && word.key == name)
}

/// Where one of async-profiler's options goes.
#[derive(Clone, Copy)]
enum Meaning {
    /// It is this option of ours.
    Is(&'static Key),
    /// It says what jprof does anyway, or what has no effect on a JFR file there either.
    Nothing,
    /// It asks for another engine's samples.
    Engine,
    /// It asks for a text format.
    Format,
    /// It is known and has no counterpart in this version.
    Missing,
}

/// The value that a word has when it is an option of ours without saying so: a bare `cpu` is `event=cpu`.
fn meaning(name: &str) -> Option<Meaning> {
    Some(match name {
        "jstackdepth" => Meaning::Is(&keys::STACKDEPTH),
        "loop" => Meaning::Is(&keys::PERIOD),
        "cpu" | "ctimer" | "itimer" => Meaning::Is(&keys::EVENT),
        "jfr" | "quiet" | "threads" | "samples" | "total" | "simple" | "norm" | "sig" | "ann"
        | "lib" | "dot" | "title" | "minwidth" | "reverse" | "inverted" => Meaning::Nothing,
        "alloc" => Meaning::Is(&keys::ALLOC),
        "live" => Meaning::Is(&keys::LIVE),
        "wall" | "lock" | "nativemem" | "nativelock" | "nofree" | "proc" | "trace" | "all" => {
            Meaning::Engine
        }
        "collapsed" | "folded" | "flamegraph" | "tree" | "traces" | "flat" | "otlp" | "text"
        | "svg" | "summary" => Meaning::Format,
        "alluser" | "begin" | "chunksize" | "chunktime" | "clock" | "cstack" | "end"
        | "exclude" | "fdtransfer" | "features" | "filter" | "include" | "jfropts" | "jfrsync"
        | "mcache" | "memlimit" | "nobatch" | "nostop" | "ratelimit" | "record-cpu"
        | "safemode" | "sched" | "server" | "signal" | "target-cpu" | "timeout" | "tlab"
        | "ttsp" => Meaning::Missing,
        _ => return None,
    })
}

/// What one string comes to.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) given: Vec<(&'static Key, Candidate)>,
    pub(super) complaints: Vec<Complaint>,
}

/// Puts the words behind the action into our own. Our own options are known here too.
pub(super) fn translate<'a>(words: impl Iterator<Item = Word<'a>>) -> Translated {
    let mut translated = Translated::default();
    let mut names_engine = false;
    for word in words {
        let name = unescape(word.key);
        match meaning(&name) {
            Some(Meaning::Is(key)) => {
                let text = match key.name {
                    "alloc" => {
                        names_engine = true;
                        // What it samples where no number is given.
                        Cow::Borrowed(word.value.unwrap_or("512k"))
                    }
                    "live" => {
                        names_engine = true;
                        Cow::Borrowed(word.value.unwrap_or("on"))
                    }
                    "event" => name.clone(),
                    "stackdepth" => translated.stack_depth(&word),
                    _ => Cow::Borrowed(word.value.unwrap_or_default()),
                };
                translated.give(key, &name, &text);
            }
            Some(Meaning::Nothing) => {}
            Some(Meaning::Engine) => {
                names_engine = true;
                translated.note(&word, "not in this version yet; no such samples are taken");
            }
            Some(Meaning::Format) => {
                translated.note(
                    &word,
                    "the recording is written as JFR; use jprof convert or jprof flame on it",
                );
            }
            Some(Meaning::Missing) => {
                translated.note(&word, "not in this version; it has no effect")
            }
            None => translated.own(&name, &word),
        }
    }
    let has_event = translated.given.iter().any(|(key, _)| *key == &keys::EVENT);
    if names_engine && !has_event {
        // There, too, a string that names only other engines samples no CPU time.
        translated.give(&keys::EVENT, "event", "none");
    }
    translated
}

impl Translated {
    /// A word that async-profiler does not know, or that both know in the same sense.
    fn own(&mut self, name: &str, word: &Word<'_>) {
        match (keys::find(name), word.value) {
            (Some(key), Some(value)) if key == &keys::INTERVAL => {
                self.give(key, name, &interval(value))
            }
            (Some(key), Some(value)) if key == &keys::FILE => {
                let text_format = [".html", ".collapsed", ".folded", ".txt", ".svg"];
                if text_format.iter().any(|ending| value.ends_with(ending)) {
                    self.note(
                        word,
                        "the file is written as JFR; use jprof convert or jprof flame on it",
                    );
                }
                self.give(key, name, value);
            }
            (Some(key), Some(value)) => self.give(key, name, value),
            (Some(key), None) => match keys::value_alone(key) {
                Some(text) => self.give(key, name, text),
                None => {
                    let message = format!("has no value; it takes {}", key.wants);
                    self.note(word, message);
                }
            },
            (None, _) => {
                let known = keys::KEYS
                    .iter()
                    .map(|key| key.name)
                    .chain(["jstackdepth", "loop"]);
                let message = match keys::nearest(name, known) {
                    Some(meant) => format!("unknown argument; did you mean {meant}?"),
                    None => "unknown argument; it has no effect".to_owned(),
                };
                self.note(word, message);
            }
        }
    }

    /// `jstackdepth=N/M` keeps M of the frames at the top there; here as many as N.
    fn stack_depth<'a>(&mut self, word: &Word<'a>) -> Cow<'a, str> {
        let value = word.value.unwrap_or_default();
        match value.split_once('/') {
            Some((depth, _)) => {
                self.note(
                    word,
                    "what follows the slash has no effect; the frames at the top are kept",
                );
                Cow::Borrowed(depth)
            }
            None => Cow::Borrowed(value),
        }
    }

    fn give(&mut self, key: &'static Key, written_key: &str, text: &str) {
        self.given.push((
            key,
            Candidate {
                text: text.to_owned(),
                origin: Origin::AgentString,
                written_key: Cow::Owned(written_key.to_owned()),
            },
        ));
    }

    fn note(&mut self, word: &Word<'_>, message: impl Into<String>) {
        let value = word.value.map(unescape);
        self.complaints.push(Complaint::new(
            Severity::Note,
            Origin::AgentString,
            &unescape(word.key),
            value.as_deref(),
            message,
        ));
    }
}

/// async-profiler's units are one letter long, in any case; what follows the letter does not count.
fn interval(value: &str) -> Cow<'_, str> {
    let digits = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let unit = match value[digits..]
        .bytes()
        .next()
        .map(|byte| byte.to_ascii_lowercase())
    {
        Some(b'n') => "ns",
        Some(b'u') => "us",
        Some(b'm') => "ms",
        Some(b's') => "s",
        _ => return Cow::Borrowed(value),
    };
    Cow::Owned(format!("{}{unit}", &value[..digits]))
}

#[cfg(test)]
mod tests {
    use super::super::grammar::words;
    use super::*;

    fn given(text: &str) -> Vec<(&'static str, String)> {
        translate(words(text))
            .given
            .into_iter()
            .map(|(key, candidate)| (key.name, candidate.text))
            .collect()
    }

    fn complaints(text: &str) -> Vec<String> {
        translate(words(text))
            .complaints
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn actions_are_bare_words() {
        let first = |text| {
            words(text)
                .next()
                .and_then(|word| action(&word))
                .map(|(name, ..)| name)
        };
        for (name, ..) in ACTIONS {
            assert_eq!(first(name), Some(name));
        }
        assert_eq!(first("version=1.0"), None);
        assert_eq!(first("started"), None);
    }

    #[test]
    fn puts_words_into_our_own() {
        for (text, expected) in [
            (
                "event=cpu,interval=1ms,file=x.jfr",
                vec![("event", "cpu"), ("interval", "1ms"), ("file", "x.jfr")],
            ),
            ("interval=10m", vec![("interval", "10ms")]),
            ("interval=5U", vec![("interval", "5us")]),
            ("interval=1000000", vec![("interval", "1000000")]),
            ("jstackdepth=512", vec![("stackdepth", "512")]),
            ("jstackdepth=512/64", vec![("stackdepth", "512")]),
            (
                "loop=10m,file=%t.jfr",
                vec![("period", "10m"), ("file", "%t.jfr")],
            ),
            ("cpu,jfr,threads", vec![("event", "cpu")]),
            (
                "alloc=512k,lock",
                vec![("alloc", "512k"), ("event", "none")],
            ),
            ("event=cpu,alloc", vec![("event", "cpu"), ("alloc", "512k")]),
            (
                "url=http://h,service=a,strict",
                vec![("url", "http://h"), ("service", "a"), ("strict", "on")],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, text)| (name, text.to_owned()))
                .collect();
            assert_eq!(given(text), expected, "{text}");
        }
    }

    #[test]
    fn says_what_has_no_effect() {
        for (text, expected) in [
            ("event=cpu,interval=1ms,jfr,quiet", &[][..]),
            (
                "lock=1ms",
                &["option lock=1ms: not in this version yet; no such samples are taken"],
            ),
            (
                "collapsed",
                &[
                    "option collapsed: the recording is written as JFR; use jprof convert or jprof flame on it",
                ],
            ),
            (
                "file=a.html",
                &[
                    "option file=a.html: the file is written as JFR; use jprof convert or jprof flame on it",
                ],
            ),
            (
                "cstack=vm",
                &["option cstack=vm: not in this version; it has no effect"],
            ),
            (
                "frobnicate",
                &["option frobnicate: unknown argument; it has no effect"],
            ),
            (
                "intervall=1ms",
                &["option intervall=1ms: unknown argument; did you mean interval?"],
            ),
            (
                "service",
                &["option service: has no value; it takes the name of the service"],
            ),
        ] {
            assert_eq!(complaints(text), expected, "{text}");
        }
    }

    #[test]
    fn all_complaints_are_notes() {
        let translated = translate(words("lock,collapsed,cstack=vm,frobnicate,service"));
        assert_eq!(translated.complaints.len(), 5);
        assert!(
            translated
                .complaints
                .iter()
                .all(|complaint| complaint.severity == Severity::Note)
        );
    }
}
