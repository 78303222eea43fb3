//! Where the values of the options come from.

use std::borrow::Cow;
use std::fmt;

use super::complaint::{Complaint, Severity};
use super::grammar::unescape;
use super::keys::Key;

/// The places outside the agent string that can give values. The parser itself reads neither the JVM nor the
/// environment.
pub trait Sources {
    /// The JVM's system property of that name.
    fn property(&self, name: &str) -> Option<String>;
    /// The environment variable of that name.
    fn variable(&self, name: &str) -> Option<String>;
}

/// No property and no variable at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn property(&self, _name: &str) -> Option<String> {
        None
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Where the value of an option was found. Shows as `option`, `property dd.service`, `variable DD_SERVICE` or `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The agent string.
    AgentString,
    /// The system property of that name.
    Property(&'static str),
    /// The environment variable of that name.
    Variable(&'static str),
    /// Nobody gave it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::AgentString => out.write_str("option"),
            Origin::Property(name) => write!(out, "property {name}"),
            Origin::Variable(name) => write!(out, "variable {name}"),
            Origin::Default => out.write_str("default"),
        }
    }
}

/// A text that one of the sources gives for an option, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// As written; from the agent string with its escapes.
    pub(super) text: String,
    pub(super) origin: Origin,
    /// How the source calls the option.
    pub(super) written_key: Cow<'static, str>,
}

impl Candidate {
    pub(super) fn property(name: &'static str, text: String) -> Candidate {
        Candidate {
            text,
            origin: Origin::Property(name),
            written_key: Cow::Borrowed(name),
        }
    }

    pub(super) fn variable(name: &'static str, text: String) -> Candidate {
        Candidate {
            text,
            origin: Origin::Variable(name),
            written_key: Cow::Borrowed(name),
        }
    }

    /// The text without escapes, which only the agent string has.
    pub(super) fn plain(&self) -> Cow<'_, str> {
        match self.origin {
            Origin::AgentString => unescape(&self.text),
            _ => Cow::Borrowed(&self.text),
        }
    }

    /// A complaint about this candidate, as grave as its source makes it.
    pub(super) fn complaint(&self, message: impl Into<String>) -> Complaint {
        let severity = match self.origin {
            Origin::AgentString => Severity::Wrong,
            Origin::Variable(name) if name.starts_with("JPROF_") => Severity::Wrong,
            _ => Severity::Note,
        };
        self.complain(severity, message)
    }

    /// A remark about this candidate that is held against nobody.
    pub(super) fn note(&self, message: impl Into<String>) -> Complaint {
        self.complain(Severity::Note, message)
    }

    fn complain(&self, severity: Severity, message: impl Into<String>) -> Complaint {
        Complaint::new(
            severity,
            self.origin,
            &self.written_key,
            Some(&self.plain()),
            message,
        )
    }
}

/// A value that was asked for but is not there: set to nothing is as good as not set.
pub(super) fn set(value: Option<String>) -> Option<String> {
    value
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// All that the sources outside the agent string give for `key`, in the order in which they count.
pub(super) fn fall_backs(key: &'static Key, sources: &dyn Sources) -> Vec<Candidate> {
    let properties = key
        .properties
        .iter()
        .filter_map(|&name| Some(Candidate::property(name, set(sources.property(name))?)));
    let variables = std::iter::once(&key.variable)
        .chain(key.variables)
        .chain(key.generic)
        .filter_map(|&name| Some(Candidate::variable(name, set(sources.variable(name))?)));
    properties.chain(variables).collect()
}
