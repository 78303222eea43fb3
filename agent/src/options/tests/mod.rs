//! Whole agent strings, with all that can stand around them.

mod complaints;
mod documentation;
mod fall_backs;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Properties and variables by name.
#[derive(Default)]
struct Surroundings {
    properties: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl Sources for Surroundings {
    fn property(&self, name: &str) -> Option<String> {
        self.properties.get(name).cloned()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// Reads with these properties, whose names have small letters, and variables, whose names have capitals.
fn parse_with(text: &str, given: &[(&str, &str)]) -> Parsed {
    let mut around = Surroundings::default();
    for &(name, value) in given {
        let is_variable = name.starts_with(|c: char| c.is_ascii_uppercase());
        let map = if is_variable {
            &mut around.variables
        } else {
            &mut around.properties
        };
        map.insert(name.to_owned(), value.to_owned());
    }
    parse(text, &around)
}

fn lines(parsed: &Parsed) -> Vec<String> {
    parsed.complaints.iter().map(ToString::to_string).collect()
}

fn tags(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn nothing_given_is_the_default() {
    for text in ["", " ", ",", " , "] {
        let parsed = parse(text, &NoSources);
        assert_eq!(parsed.options, Options::default(), "{text:?}");
        assert_eq!(parsed.complaints, [], "{text:?}");
        assert!(
            parsed
                .sources
                .iter()
                .all(|&(_, origin)| origin == Origin::Default)
        );
        assert_eq!(parsed.sources.len(), KEYS.len());
    }
}

#[test]
fn every_option_in_one_string() {
    let parsed = parse(
        r"service=a\,b,env=prod,version=1.2,host=h,tags=team:x;zone:a\;b,period=2m,url=https://dk:9529,file=%t.jfr,event=ctimer,interval=1ms,alloc=1m,live=all,dialect=jdk,walker=agct,stackdepth=100,names=raw,spool=/s p,shutdown_flush=0,library_type=async_profiler,debugdir=/d;/e,log=/var/log/j.log,loglevel=info,strict=on",
        &NoSources,
    );
    assert_eq!(parsed.complaints, []);
    let expected = Options {
        action: Action::Start,
        service: Some("a,b".into()),
        env: Some("prod".into()),
        version: Some("1.2".into()),
        host: Some("h".into()),
        tags: tags(&[("team", "x"), ("zone", "a;b")]),
        period: Duration::from_secs(120),
        url: Url::Base("https://dk:9529".into()),
        file: Some(FilePattern::parse("%t.jfr").unwrap()),
        event: Event::CpuTimer,
        interval: Duration::from_millis(1),
        event_period: None,
        alloc: Alloc::Every(1 << 20),
        live: Live::All,
        dialect: Dialect::Jdk,
        walker: Walker::Agct,
        stack_depth: 100,
        names: Names::Raw,
        spool: Some(PathBuf::from("/s p")),
        shutdown_flush: Duration::ZERO,
        library_type: "async_profiler".into(),
        debugdir: vec!["/d".into(), "/e".into()],
        log: LogTarget::File("/var/log/j.log".into()),
        log_level: log::LevelFilter::Info,
        strict: true,
    };
    assert_eq!(parsed.options, expected);
}

#[test]
fn events_are_never_replaced() {
    for (text, expected, complaints) in [
        ("event=cycles", Event::Perf("cycles".into()), 0),
        ("event=wall", Event::None, 1),
        ("event=itimer", Event::ProcessTimer, 0),
        (r"event=cpu\,lock", Event::Cpu, 1),
        ("event=cpu,lock", Event::Cpu, 1),
        ("alloc=512k,live,wall=50ms,lock", Event::Cpu, 2),
        (r"event=cpu\,cycles", Event::Cpu, 1),
    ] {
        let parsed = parse(text, &NoSources);
        assert_eq!(parsed.options.event, expected, "{text}");
        assert_eq!(parsed.complaints.len(), complaints, "{text}");
        assert!(
            parsed
                .complaints
                .iter()
                .all(|complaint| complaint.severity == Severity::Note)
        );
    }
}

#[test]
fn interval_of_a_perf_event_is_a_number() {
    let parsed = parse("event=cycles,interval=1000000", &NoSources);
    assert_eq!(parsed.options.event_period, Some(1_000_000));
    assert_eq!(parsed.options.interval, Duration::from_millis(10));
    for (event, default) in [
        ("cycles", Some(1_000_000)),
        ("page-faults", Some(1)),
        ("context-switches", Some(2)),
        ("sched:sched_switch", Some(1)),
        ("nonsense", None),
    ] {
        let options = parse(&format!("event={event}"), &NoSources).options;
        assert_eq!(options.event_period, default, "{event}");
    }
    for clock in ["cpu-clock", "task-clock", "ctimer", "itimer"] {
        let options = parse(&format!("event={clock},interval=1ms"), &NoSources).options;
        assert_eq!(options.event_period, None);
        assert_eq!(options.interval, Duration::from_millis(1));
    }
    assert_eq!(
        parse("interval=1000000", &NoSources).options.event_period,
        None
    );
}

#[test]
fn events_that_are_not_time_are_never_called_cpu_time() {
    for (text, notes) in [
        ("event=page-faults", 0),
        ("event=page-faults,url=http://h,dialect=jdk", 0),
        ("event=page-faults,url=http://h,dialect=datakit", 1),
    ] {
        let parsed = parse(text, &NoSources);
        assert_eq!(parsed.options.dialect, Dialect::Jdk, "{text}");
        assert_eq!(parsed.complaints.len(), notes, "{text}");
    }
    let clock = parse("event=task-clock", &NoSources);
    assert_eq!(clock.options.dialect, Dialect::DataKit);
}

#[test]
fn dialect_follows_where_profiles_go() {
    for (text, expected) in [
        ("", Dialect::DataKit),
        ("file=x.jfr", Dialect::DataKit),
        ("file=x.jfr,url=none", Dialect::Jdk),
        ("file=x.jfr,url=none,dialect=datakit", Dialect::DataKit),
        ("url=http://h,dialect=jdk", Dialect::Jdk),
        ("start,file=x.jfr", Dialect::Jdk),
        ("start,file=x.jfr,url=http://h", Dialect::Jdk),
        ("start,file=x.jfr,dialect=datakit", Dialect::DataKit),
    ] {
        assert_eq!(parse(text, &NoSources).options.dialect, expected, "{text}");
    }
}

#[test]
fn strings_of_async_profiler() {
    let parsed = parse_with(
        "start,event=cpu,interval=1ms,file=x.jfr,jstackdepth=512,threads",
        &[
            ("DD_AGENT_HOST", "node"),
            ("JPROF_URL", "http://h"),
            ("DD_SERVICE", "s"),
        ],
    );
    assert_eq!(parsed.complaints, []);
    let expected = Options {
        service: Some("s".into()),
        url: Url::None,
        file: Some(FilePattern::parse("x.jfr").unwrap()),
        interval: Duration::from_millis(1),
        alloc: Alloc::Off,
        dialect: Dialect::Jdk,
        stack_depth: 512,
        ..Options::default()
    };
    assert_eq!(parsed.options, expected);

    let parsed = parse("start,url=http://h,service=x", &NoSources);
    assert_eq!(parsed.options.url, Url::Base("http://h".into()));
    assert_eq!(parsed.complaints, []);

    for (text, action, complaints) in [
        ("stop", Action::Stop, 0),
        ("stop,file=x.jfr", Action::Stop, 0),
        ("status", Action::Status, 0),
        ("dump,file=x.jfr", Action::Nothing, 1),
        ("list", Action::Nothing, 1),
        ("version=1.0", Action::Start, 0),
    ] {
        let parsed = parse(text, &NoSources);
        assert_eq!(parsed.options.action, action, "{text}");
        assert_eq!(parsed.complaints.len(), complaints, "{text}");
    }
    assert_eq!(
        lines(&parse("version", &NoSources)),
        ["option version: not in this version; use jprof --version"]
    );
}

/// Text that is likely to hit the grammar's corners.
fn agent_strings() -> impl Strategy<Value = String> {
    let keys: Vec<String> = KEYS
        .iter()
        .map(|key| key.name)
        .chain(LATER)
        .chain([
            "start",
            "stop",
            "dump",
            "jstackdepth",
            "loop",
            "cpu",
            "alloc",
            "nonsense",
            "",
        ])
        .map(str::to_owned)
        .collect();
    let word = (
        proptest::sample::select(keys),
        "(=|\\\\)?([0-9]{1,22}(ns|us|ms|s|m|h|k)?|none|cpu|http://[a-z:0-9@]{0,8}|[a-z:;%{}\\\\=\\pL]{0,12})",
    );
    let words = proptest::collection::vec(word.prop_map(|(key, rest)| key + &rest), 0..8);
    prop_oneof![words.prop_map(|words| words.join(",")), any::<String>()]
}

proptest! {
    #[test]
    fn any_string_gives_options_in_range(text in agent_strings(), value in any::<String>()) {
        struct Always(String);
        impl Sources for Always {
            fn property(&self, name: &str) -> Option<String> {
                (name.len().is_multiple_of(2)).then(|| self.0.clone())
            }
            fn variable(&self, name: &str) -> Option<String> {
                (name.len().is_multiple_of(3)).then(|| self.0.clone())
            }
        }
        for parsed in [parse(&text, &NoSources), parse(&text, &Always(value))] {
            let options = &parsed.options;
            prop_assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&options.period));
            prop_assert!((Duration::from_micros(10)..=Duration::from_secs(10)).contains(&options.interval));
            prop_assert!((1..=8192).contains(&options.stack_depth));
            prop_assert!(options.event_period != Some(0));
            prop_assert!(options.shutdown_flush <= Duration::from_secs(300));
            for (name, value) in &options.tags {
                prop_assert!(!name.is_empty() && !value.is_empty());
            }
            for complaint in &parsed.complaints {
                prop_assert!(!complaint.to_string().contains(['\n', '\r']), "{}", complaint);
            }
            prop_assert_eq!(parsed.settings().len(), KEYS.len());
        }
    }
}
