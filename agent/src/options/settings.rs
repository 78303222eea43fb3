//! The options in force as text, for the log, `jprof status` and the recording.

use std::time::Duration;

use super::keys::KEYS;
use super::parser::Parsed;
use super::secrets::mask_value;
use super::sources::Origin;

/// One option in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the option.
    pub name: &'static str,
    /// Its value as it could be written in the agent string, but without escapes, and with secrets masked; empty where
    /// there is none.
    pub value: String,
    /// Where the value was found.
    pub origin: Origin,
}

impl Parsed {
    /// All options in force, in the order of the documentation.
    pub fn settings(&self) -> Vec<Setting> {
        KEYS.iter()
            .map(|key| Setting {
                name: key.name,
                value: self.value(key.name),
                origin: self.origin(key.name),
            })
            .collect()
    }

    fn value(&self, name: &str) -> String {
        let options = &self.options;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        match name {
            "service" => text(&options.service),
            "env" => text(&options.env),
            "version" => text(&options.version),
            "host" => text(&options.host),
            "tags" => join(
                options
                    .tags
                    .iter()
                    .map(|(name, value)| format!("{name}:{}", mask_value(name, value))),
            ),
            "period" => duration(options.period),
            "url" => mask_value("", &options.url.to_string()).into_owned(),
            "file" => options
                .file
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            "event" => options.event.to_string(),
            "interval" => options
                .event_period
                .map_or_else(|| duration(options.interval), |events| events.to_string()),
            "alloc" => options.alloc.to_string(),
            "live" => options.live.to_string(),
            "dialect" => options.dialect.to_string(),
            "walker" => options.walker.to_string(),
            "stackdepth" => options.stack_depth.to_string(),
            "names" => options.names.to_string(),
            "spool" => join(
                options
                    .spool
                    .iter()
                    .map(|folder| folder.display().to_string()),
            ),
            "shutdown_flush" => duration(options.shutdown_flush),
            "library_type" => options.library_type.clone(),
            "debugdir" => join(
                options
                    .debugdir
                    .iter()
                    .map(|folder| folder.display().to_string()),
            ),
            "log" => options.log.to_string(),
            "loglevel" => options.log_level.to_string().to_lowercase(),
            "strict" => (if options.strict { "on" } else { "off" }).to_owned(),
            _ => String::new(),
        }
    }
}

fn join(pieces: impl Iterator<Item = String>) -> String {
    pieces.collect::<Vec<_>>().join(";")
}

/// A length of time in the largest unit that needs no fraction, of those that every option takes.
fn duration(length: Duration) -> String {
    let nanos = length.as_nanos();
    [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        .into_iter()
        .find(|(unit, _)| nanos.is_multiple_of(*unit))
        .map_or_else(
            || format!("{nanos}ns"),
            |(unit, name)| format!("{}{name}", nanos / unit),
        )
}

#[cfg(test)]
mod tests {
    use super::super::{NoSources, parse};
    use super::*;

    #[test]
    fn every_option_has_its_value() {
        let text = "service=a,env=b,version=c,host=d,tags=team:t;api_key:x,period=90,url=http://u:p@h,file=%p.jfr,\
                    event=ctimer,interval=1500us,alloc=1536k,live=all,dialect=jdk,walker=agct,stackdepth=64,names=raw,spool=/s,shutdown_flush=250ms,\
                    library_type=l,debugdir=/d;/e,log=/l,loglevel=debug,strict";
        let parsed = parse(text, &NoSources);
        assert_eq!(parsed.complaints, []);
        let settings: Vec<(&str, String)> = parsed
            .settings()
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect();
        let expected = [
            ("service", "a"),
            ("env", "b"),
            ("version", "c"),
            ("host", "d"),
            ("tags", "team:t;api_key:***"),
            ("period", "90s"),
            ("url", "http://***@h"),
            ("file", "%p.jfr"),
            ("event", "ctimer"),
            ("interval", "1500us"),
            ("alloc", "1536k"),
            ("live", "all"),
            ("dialect", "jdk"),
            ("walker", "agct"),
            ("stackdepth", "64"),
            ("names", "raw"),
            ("spool", "/s"),
            ("shutdown_flush", "250ms"),
            ("library_type", "l"),
            ("debugdir", "/d;/e"),
            ("log", "/l"),
            ("loglevel", "debug"),
            ("strict", "on"),
        ];
        assert_eq!(
            settings,
            expected.map(|(name, value)| (name, value.to_owned()))
        );
        assert!(
            parsed
                .settings()
                .iter()
                .all(|setting| setting.origin == Origin::AgentString)
        );
    }

    #[test]
    fn durations_as_text() {
        for (nanos, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (10_000, "10us"),
            (1_500_000, "1500us"),
            (60_000_000_000, "60s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), expected);
        }
    }
}
