//! The options that need more than one text to be read: tags and the options that stand among them, periods, events,
//! addresses, dialects.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::complaint::{Severity, one_line};
use super::keys::{self, Key};
use super::parser::Parser;
use super::perf_event::PerfEvent;
use super::read;
use super::read::Others;
use super::sources::{Candidate, Origin, fall_backs, set};
use super::tags::{self, Tags};
use super::values::{Alloc, Dialect, Event, Live, Names, Url, Walker};

/// Shortest and longest profile. Under a second, what a chunk holds beside its samples outweighs them; a profile whose
/// end is hours behind is moved to another time by DataKit (from 2 h on).
const PERIOD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// Shortest and longest interval. The kernel does not run a CPU clock event faster than 10 us; with more than 10 s a
/// profile of a minute holds hardly a sample of a busy thread.
const INTERVAL: (Duration, Duration) = (Duration::from_micros(10), Duration::from_secs(10));
/// Length of the pieces in which the profiler that `DK_PROFILE_DURATION` belongs to sends its run.
const PIECE_OF_A_RUN: Duration = Duration::from_secs(60);

/// Variables of the two pairs of host and port.
const DD_PAIR: (&str, &str) = ("DD_AGENT_HOST", "DD_TRACE_AGENT_PORT");
const DK_PAIR: (&str, &str) = ("DK_AGENT_HOST", "DK_AGENT_PORT");
/// System properties of the first pair.
const DD_PROPERTIES: (&str, &str) = ("dd.agent.host", "dd.trace.agent.port");

impl Parser<'_> {
    /// The tags of the first source that has any.
    pub(super) fn tags(&mut self) -> Tags {
        let candidates = self.candidates(&keys::TAGS);
        for candidate in candidates {
            let read = tags::tags(&candidate);
            for piece in &read.wrong {
                let complaint = candidate.complaint(format!(
                    "\"{}\" is no tag and is left out; it takes {}",
                    one_line(piece),
                    keys::TAGS.wants
                ));
                self.complaints.push(complaint);
            }
            if !read.tags.is_empty() {
                self.origins.push((keys::TAGS.name, candidate.origin));
                return read;
            }
        }
        Tags::default()
    }

    /// An option that may also be given as a tag of its name. Such a tag counts as much as the source it stands in, and
    /// less than the option itself in the same source; it is no longer among the tags then.
    pub(super) fn text_or_tag(&mut self, key: &'static Key, tags: &mut Tags) -> Option<String> {
        let text = self.text(key);
        let Some(tag) = tags.take(key.name) else {
            return text;
        };
        let of_tags = self.origin(&keys::TAGS);
        if rank(key, of_tags) < rank(key, self.origin(key)) {
            self.origins.retain(|(name, _)| *name != key.name);
            self.origins.push((key.name, of_tags));
            return Some(tag);
        }
        text
    }

    pub(super) fn period(&mut self) -> Option<Duration> {
        let candidates = self.candidates(&keys::PERIOD);
        self.first(&keys::PERIOD, candidates, |candidate, text| {
            if candidate.origin == Origin::Variable("DK_PROFILE_DURATION") {
                let run = read::duration(text, read::LONG_UNITS, PERIOD.0, Duration::MAX)?;
                return Ok(run.min(PIECE_OF_A_RUN));
            }
            read::duration(text, read::LONG_UNITS, PERIOD.0, PERIOD.1)
        })
    }

    /// The event. One that is asked for by name is never replaced by another: a word of an engine that is not there
    /// gives no samples at all, unless an event that is there stands beside it.
    ///
    /// Also, which other engines are among the events.
    pub(super) fn event(&mut self) -> (Event, Others) {
        let candidates = self.candidates(&keys::EVENT);
        let read = self.first(&keys::EVENT, candidates, |candidate, text| {
            read::events(text).map(|events| (events, candidate.clone()))
        });
        let Some((events, candidate)) = read else {
            return (Event::default(), Others::default());
        };
        if !events.later.is_empty() {
            let note = format!(
                "{} not in this version yet; no such samples are taken",
                list(&events.later)
            );
            self.complaints.push(candidate.note(note));
        }
        if !events.surplus.is_empty() {
            let note = format!(
                "{} left out: there is one event at a time",
                list(&events.surplus)
            );
            self.complaints.push(candidate.note(note));
        }
        (events.cpu.unwrap_or(Event::None), events.others)
    }

    /// The interval: of CPU time, or for a perf event by name of events.
    pub(super) fn interval(&mut self, event: &Event) -> (Option<Duration>, Option<u64>) {
        if let Event::Perf(name) = event
            && !event.is_clock()
        {
            let given = self.value(&keys::INTERVAL, read::event_period);
            let default = || PerfEvent::named(name).map(|event| event.default_period);
            return (None, given.or_else(default));
        }
        let interval = self.value(&keys::INTERVAL, |text| {
            read::duration(text, read::SHORT_UNITS, INTERVAL.0, INTERVAL.1)
        });
        (interval, None)
    }

    /// Allocation samples. In async-profiler's manner only the string itself can ask for them.
    pub(super) fn alloc(&mut self, as_async_profiler: bool, is_event: bool) -> Alloc {
        let candidates = if as_async_profiler {
            self.in_agent_string(&keys::ALLOC).into_iter().collect()
        } else {
            self.candidates(&keys::ALLOC)
        };
        let given = self.first(&keys::ALLOC, candidates, |_, text| read::alloc(text));
        // Such a list names all that is to be sampled; the option `event` chooses among CPU events only.
        let is_list = matches!(self.origin(&keys::EVENT), Origin::Variable(name) if name != keys::EVENT.variable);
        if given.is_none() && is_event {
            self.origins
                .push((keys::ALLOC.name, self.origin(&keys::EVENT)));
            return Alloc::Adaptive;
        }
        given.unwrap_or(if as_async_profiler || is_list {
            Alloc::Off
        } else {
            super::Options::default().alloc
        })
    }

    /// Live objects. In async-profiler's manner only the string itself can ask for them.
    pub(super) fn live(&mut self, as_async_profiler: bool, is_event: bool) -> Live {
        let candidates = if as_async_profiler {
            self.in_agent_string(&keys::LIVE).into_iter().collect()
        } else {
            self.candidates(&keys::LIVE)
        };
        let given = self.first(&keys::LIVE, candidates, |_, text| read::live(text));
        given.unwrap_or(if is_event { Live::On } else { Live::Off })
    }

    /// Where to upload. In async-profiler's manner only the string itself can ask for an upload.
    pub(super) fn url(&mut self, as_async_profiler: bool) -> Url {
        let mut candidates: Vec<Candidate> = self.in_agent_string(&keys::URL).into_iter().collect();
        let default = if as_async_profiler {
            Url::None
        } else {
            candidates.extend(self.url_fall_backs());
            super::Options::default().url
        };
        self.first(&keys::URL, candidates, |_, text| read::url(text))
            .unwrap_or(default)
    }

    /// What the environment gives for the upload address. Host and port are two halves of one value, which counts where
    /// its first half stands; the half that the properties lack may be a variable.
    fn url_fall_backs(&self) -> Vec<Candidate> {
        let mut texts = fall_backs(&keys::URL, self.sources).into_iter().peekable();
        let mut candidates = Vec::new();
        let mut dd_is_read = false;
        while let Some(text) = texts.next() {
            let is_one_of = |pair: (&str, &str)| [pair.0, pair.1].contains(&&*text.written_key);
            if is_one_of(DD_PROPERTIES) || is_one_of(DD_PAIR) {
                if !std::mem::replace(&mut dd_is_read, true) {
                    candidates.push(self.host_and_port(text, DD_PAIR, Some(DD_PROPERTIES)));
                }
            } else if is_one_of(DK_PAIR) {
                texts.next_if(|next| next.written_key == DK_PAIR.1);
                candidates.push(self.host_and_port(text, DK_PAIR, None));
            } else {
                candidates.push(text);
            }
        }
        candidates
    }

    /// The address that a pair makes, under the name of the half that was found first.
    fn host_and_port(
        &self,
        first: Candidate,
        variables: (&str, &str),
        properties: Option<(&str, &str)>,
    ) -> Candidate {
        let half = |variable: &str, property: Option<&str>| {
            property
                .and_then(|name| set(self.sources.property(name)))
                .or_else(|| set(self.sources.variable(variable)))
        };
        let host = half(variables.0, properties.map(|(host, _)| host));
        let port = half(variables.1, properties.map(|(_, port)| port));
        Candidate {
            text: read::url_of(host.as_deref(), port.as_deref()),
            ..first
        }
    }

    /// DataKit takes the samples of its dialect for CPU time, so events that count something else have the other's names.
    pub(super) fn dialect(&mut self, jdk_by_default: bool, event: &Event) -> Dialect {
        let counts = matches!(event, Event::Perf(_)) && !event.is_clock();
        let dialect = self.value(&keys::DIALECT, |text| match text {
            "datakit" => Ok(Dialect::DataKit),
            "jdk" => Ok(Dialect::Jdk),
            _ => Err("is no dialect".to_owned()),
        });
        if counts && dialect == Some(Dialect::DataKit) {
            let message = format!(
                "is for samples of CPU time; those of {event} are written with dialect=jdk"
            );
            self.complain(Severity::Note, keys::DIALECT.name, Some("datakit"), message);
            return Dialect::Jdk;
        }
        dialect.unwrap_or(if jdk_by_default || counts {
            Dialect::Jdk
        } else {
            Dialect::DataKit
        })
    }

    pub(super) fn walker(&mut self) -> Option<Walker> {
        self.value(&keys::WALKER, |text| match text {
            "vm" => Ok(Walker::Vm),
            "agct" => Ok(Walker::Agct),
            "both" => Ok(Walker::Both),
            _ => Err("is no walker".to_owned()),
        })
    }

    pub(super) fn names(&mut self) -> Option<Names> {
        self.value(&keys::NAMES, |text| match text {
            "readable" => Ok(Names::Readable),
            "raw" => Ok(Names::Raw),
            _ => Err("is no manner of names".to_owned()),
        })
    }

    /// A list of folders, whose separators have escapes.
    pub(super) fn folders(&mut self, key: &'static Key) -> Vec<PathBuf> {
        let candidates = self.candidates(key);
        let folders = self.first(key, candidates, |candidate, _| {
            let folders = tags::folders(&candidate.text);
            (!folders.is_empty())
                .then_some(folders)
                .ok_or_else(|| "names no folder".to_owned())
        });
        folders.unwrap_or_default()
    }
}

/// How early the source comes in the order in which sources count.
fn rank(key: &Key, origin: Origin) -> u8 {
    match origin {
        Origin::AgentString => 0,
        Origin::Property(_) => 1,
        Origin::Variable(name) if !key.generic.contains(&name) => 2,
        Origin::Variable(_) => 3,
        Origin::Default => 4,
    }
}

/// `a is`, `a and b are`.
fn list(names: &[String]) -> Cow<'_, str> {
    match names {
        [] => Cow::Borrowed(""),
        [name] => Cow::Owned(format!("{name} is")),
        [names @ .., last] => Cow::Owned(format!("{} and {last} are", names.join(", "))),
    }
}
