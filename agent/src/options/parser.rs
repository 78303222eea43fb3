//! Finds each option's value among its sources, reads it, and says what is wrong.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::Options;
use super::async_profiler;
use super::complaint::{Complaint, Severity};
use super::file_pattern::FilePattern;
use super::grammar::{self, Word, unescape};
use super::keys::{self, KEYS, Key, LATER};
use super::read;
use super::sources::{Candidate, Origin, Sources, fall_backs};
use super::values::{Action, LogTarget, Url};

/// Longest wait at the end: process managers kill what has not ended some minutes after it was told to.
const SHUTDOWN_FLUSH: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(300));
/// Fewest and most frames: each place where a stack is taken holds an array of that many frames all the time.
const STACK_DEPTH: (u32, u32) = (1, super::DEEPEST_STACK);

/// What [`parse`] gives: options to run with, what was wrong, and where each value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed {
    /// The options in force.
    pub options: Options,
    /// What was wrong, in the order in which it was found.
    pub complaints: Vec<Complaint>,
    /// Where the value of each of [`KEYS`] was found, in their order.
    pub sources: Vec<(&'static str, Origin)>,
}

/// Whether the string begins with one of async-profiler's actions, and is read by its rules.
pub fn is_async_profilers(agent_string: &str) -> bool {
    grammar::words(agent_string)
        .next()
        .is_some_and(|word| async_profiler::action(&word).is_some())
}

impl Parsed {
    /// Where the value of that option was found.
    pub fn origin(&self, name: &str) -> Origin {
        self.sources
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(Origin::Default, |&(_, origin)| origin)
    }

    /// Whether the start is to be refused: `strict` is on and an option is wrong.
    pub fn refuses_start(&self) -> bool {
        self.options.strict
            && self
                .complaints
                .iter()
                .any(|complaint| complaint.severity == Severity::Wrong)
    }
}

/// Reads the agent string and what else `sources` give.
///
/// A wrong value counts as not given: the next source is asked, and the default is the last. No input makes this panic
/// or fail.
pub fn parse(agent_string: &str, sources: &dyn Sources) -> Parsed {
    let mut words = grammar::words(agent_string).peekable();
    let action = words.peek().and_then(async_profiler::action);
    let mut parser = Parser {
        given: Vec::new(),
        sources,
        complaints: Vec::new(),
        origins: Vec::new(),
    };
    match action {
        Some((name, action, advice)) => {
            words.next();
            if action == Action::Nothing {
                let message = format!("not in this version; {advice}");
                parser.complain(Severity::Note, name, None, message);
            }
            let translated = async_profiler::translate(words);
            parser.complaints.extend(translated.complaints);
            for (key, candidate) in translated.given {
                parser.give(key, candidate);
            }
        }
        None => words.for_each(|word| parser.word(&word)),
    }
    let action = action.map(|(_, action, _)| action);
    let options = parser.options(action);
    let origin = |name| {
        let found = parser.origins.iter().find(|(known, _)| *known == name);
        found.map_or(Origin::Default, |&(_, origin)| origin)
    };
    Parsed {
        sources: KEYS
            .iter()
            .map(|key| (key.name, origin(key.name)))
            .collect(),
        options,
        complaints: parser.complaints,
    }
}

pub(super) struct Parser<'a> {
    /// The agent string's values.
    given: Vec<(&'static Key, Candidate)>,
    pub(super) sources: &'a dyn Sources,
    pub(super) complaints: Vec<Complaint>,
    pub(super) origins: Vec<(&'static str, Origin)>,
}

impl Parser<'_> {
    /// Takes one word of our own manner.
    fn word(&mut self, word: &Word<'_>) {
        let name = unescape(word.key);
        let value = word.value.map(unescape);
        if let Some(key) = keys::find(&name) {
            let text = match word.value {
                Some(text) => text,
                None => match keys::value_alone(key) {
                    Some(text) => text,
                    None => {
                        let message = format!("has no value; it takes {}", key.wants);
                        return self.complain(Severity::Wrong, &name, None, message);
                    }
                },
            };
            let candidate = Candidate {
                text: text.to_owned(),
                origin: Origin::AgentString,
                written_key: Cow::Borrowed(key.name),
            };
            self.give(key, candidate);
        } else if LATER.contains(&&*name) {
            self.complain(
                Severity::Note,
                &name,
                value.as_deref(),
                "not in this version yet; it has no effect",
            );
        } else {
            let message = if async_profiler::action(word).is_some() {
                "is an action, which only the first word can be".to_owned()
            } else {
                match keys::nearest(&name, KEYS.iter().map(|key| key.name).chain(LATER)) {
                    Some(meant) => format!("unknown option; did you mean {meant}?"),
                    None => format!("unknown option; there are {}", names()),
                }
            };
            self.complain(Severity::Wrong, &name, value.as_deref(), message);
        }
    }

    /// Takes a value of the agent string; the last one counts.
    fn give(&mut self, key: &'static Key, candidate: Candidate) {
        if let Some(at) = self.given.iter().position(|(known, _)| *known == key) {
            let (_, earlier) = self.given.remove(at);
            self.complaints
                .push(earlier.note("is given again, and the later value counts"));
        }
        self.given.push((key, candidate));
    }

    pub(super) fn complain(
        &mut self,
        severity: Severity,
        key: &str,
        value: Option<&str>,
        message: impl Into<String>,
    ) {
        self.complaints.push(Complaint::new(
            severity,
            Origin::AgentString,
            key,
            value,
            message,
        ));
    }

    pub(super) fn in_agent_string(&self, key: &'static Key) -> Option<Candidate> {
        let (_, candidate) = self.given.iter().find(|(known, _)| *known == key)?;
        Some(candidate.clone())
    }

    /// All that gives a value for `key`, in the order in which it counts.
    pub(super) fn candidates(&self, key: &'static Key) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = self.in_agent_string(key).into_iter().collect();
        candidates.extend(fall_backs(key, self.sources));
        candidates
    }

    /// The first of the candidates that can be read.
    pub(super) fn first<T>(
        &mut self,
        key: &'static Key,
        candidates: Vec<Candidate>,
        read: impl Fn(&Candidate, &str) -> Result<T, String>,
    ) -> Option<T> {
        for candidate in candidates {
            let text = candidate.plain();
            let read = if text.trim().is_empty() {
                Err("has no value".to_owned())
            } else {
                read(&candidate, text.trim())
            };
            match read {
                Ok(value) => {
                    self.origins.push((key.name, candidate.origin));
                    return Some(value);
                }
                Err(wrong) => {
                    let complaint = candidate.complaint(format!("{wrong}; it takes {}", key.wants));
                    self.complaints.push(complaint);
                }
            }
        }
        None
    }

    /// The value of an option whose text means the same in all sources.
    pub(super) fn value<T>(
        &mut self,
        key: &'static Key,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let candidates = self.candidates(key);
        self.first(key, candidates, |_, text| read(text))
    }

    pub(super) fn text(&mut self, key: &'static Key) -> Option<String> {
        self.value(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn origin(&self, key: &'static Key) -> Origin {
        let found = self.origins.iter().find(|(name, _)| *name == key.name);
        found.map_or(Origin::Default, |&(_, origin)| origin)
    }

    fn options(&mut self, action: Option<Action>) -> Options {
        let default = Options::default();
        let mut tags = self.tags();
        let (event, others) = self.event();
        let (interval, event_period) = self.interval(&event);
        // async-profiler's users find a file and nothing else, in names that their tools know.
        let as_async_profiler = action.is_some();
        let url = self.url(as_async_profiler);
        let file = self.value(&keys::FILE, |text| {
            FilePattern::parse(text).map_err(|wrong| wrong.to_string())
        });
        let action = action.unwrap_or_default();
        if action == Action::Start && url == Url::None && file.is_none() {
            self.complain(
                Severity::Note,
                "url",
                Some("none"),
                "profiles go nowhere: there is no upload and no file; give url or file",
            );
        }
        let jdk_by_default = as_async_profiler || (url == Url::None && file.is_some());
        let dialect = self.dialect(jdk_by_default, &event);
        Options {
            action,
            service: self.text_or_tag(&keys::SERVICE, &mut tags),
            env: self.text_or_tag(&keys::ENV, &mut tags),
            version: self.text_or_tag(&keys::VERSION, &mut tags),
            host: self.text_or_tag(&keys::HOST, &mut tags),
            tags: tags.tags,
            period: self.period().unwrap_or(default.period),
            url,
            file,
            event,
            interval: interval.unwrap_or(default.interval),
            event_period,
            alloc: self.alloc(as_async_profiler, others.alloc),
            live: self.live(as_async_profiler, others.live),
            dialect,
            walker: self.walker().unwrap_or(default.walker),
            stack_depth: self
                .value(&keys::STACKDEPTH, |text| {
                    read::number(text, STACK_DEPTH.0, STACK_DEPTH.1)
                })
                .unwrap_or(default.stack_depth),
            names: self.names().unwrap_or(default.names),
            spool: self.text(&keys::SPOOL).map(PathBuf::from),
            shutdown_flush: self
                .value(&keys::SHUTDOWN_FLUSH, |text| {
                    read::duration(text, read::LONG_UNITS, SHUTDOWN_FLUSH.0, SHUTDOWN_FLUSH.1)
                })
                .unwrap_or(default.shutdown_flush),
            library_type: self
                .text(&keys::LIBRARY_TYPE)
                .unwrap_or(default.library_type),
            debugdir: self.folders(&keys::DEBUGDIR),
            log: self
                .text(&keys::LOG)
                .map_or(default.log, |text| match text.as_str() {
                    "stderr" => LogTarget::Stderr,
                    "stdout" => LogTarget::Stdout,
                    _ => LogTarget::File(text.into()),
                }),
            log_level: self
                .value(&keys::LOGLEVEL, read::level)
                .unwrap_or(default.log_level),
            strict: self
                .value(&keys::STRICT, read::switch)
                .unwrap_or(default.strict),
        }
    }
}

/// The names of all options, for a complaint.
fn names() -> String {
    KEYS.map(|key| key.name).join(", ")
}
