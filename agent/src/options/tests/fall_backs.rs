//! Values from the properties and variables around the agent string.

use super::*;

#[test]
fn each_source_gives_way_to_the_one_before() {
    let service = [
        ("dk.service", "1"),
        ("dd.service", "2"),
        ("JPROF_SERVICE", "3"),
        ("DD_SERVICE", "4"),
        ("DK_PROFILE_SERVICE", "5"),
        ("FLAMESHOT_SERVICE", "6"),
        ("SERVICE_NAME", "7"),
    ];
    let env = [
        ("dd.env", "1"),
        ("JPROF_ENV", "2"),
        ("DD_ENV", "3"),
        ("DK_PROFILE_ENV", "4"),
        ("APP_ENV", "5"),
    ];
    let version = [
        ("dd.version", "1"),
        ("JPROF_VERSION", "2"),
        ("DD_VERSION", "3"),
        ("DK_PROFILE_VERSION", "4"),
        ("APP_VERSION", "5"),
    ];
    let host = [
        ("JPROF_HOST", "1"),
        ("DK_PROFILE_HOSTNAME", "2"),
        ("HOST_NAME", "3"),
    ];
    type Value = fn(&Options) -> Option<&String>;
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Value);
    let options: [Case<'_>; 4] = [
        ("service", &service, |options| options.service.as_ref()),
        ("env", &env, |options| options.env.as_ref()),
        ("version", &version, |options| options.version.as_ref()),
        ("host", &host, |options| options.host.as_ref()),
    ];
    for (name, sources, value) in options {
        let parsed = parse_with(&format!("{name}=0"), sources);
        assert_eq!(value(&parsed.options).map(String::as_str), Some("0"));
        assert_eq!(parsed.origin(name), Origin::AgentString);
        for at in 0..sources.len() {
            let parsed = parse_with("", &sources[at..]);
            let (source, expected) = sources[at];
            assert_eq!(
                value(&parsed.options).map(String::as_str),
                Some(expected),
                "{name} {source}"
            );
            let origin = parsed.origin(name).to_string();
            assert!(origin.ends_with(&format!(" {source}")), "{origin} {source}");
        }
        assert_eq!(value(&parse_with("", &[]).options), None);
    }
}

#[test]
fn every_option_has_its_own_variable() {
    let parsed = parse_with(
        "",
        &[
            ("JPROF_TAGS", r"a:1;b:2\;3"),
            ("JPROF_PERIOD", "30s"),
            ("JPROF_URL", "http://h:1"),
            ("JPROF_FILE", "/tmp/a,b.jfr"),
            ("JPROF_EVENT", "none"),
            ("JPROF_INTERVAL", "20ms"),
            ("JPROF_DIALECT", "jdk"),
            ("JPROF_WALKER", "agct"),
            ("JPROF_STACKDEPTH", "7"),
            ("JPROF_NAMES", "raw"),
            ("JPROF_SPOOL", r"/s\,t"),
            ("JPROF_SHUTDOWN_FLUSH", "1s"),
            ("JPROF_LIBRARY_TYPE", "l"),
            ("JPROF_DEBUGDIR", "/d;/e"),
            ("JPROF_LOG", "stdout"),
            ("JPROF_LOGLEVEL", "error"),
            ("JPROF_STRICT", "true"),
        ],
    );
    assert_eq!(parsed.complaints, []);
    let expected = Options {
        tags: tags(&[("a", "1"), ("b", "2;3")]),
        period: Duration::from_secs(30),
        url: Url::Base("http://h:1".into()),
        file: Some(FilePattern::parse("/tmp/a,b.jfr").unwrap()),
        event: Event::None,
        interval: Duration::from_millis(20),
        dialect: Dialect::Jdk,
        walker: Walker::Agct,
        stack_depth: 7,
        names: Names::Raw,
        // Only the agent string has escapes.
        spool: Some(PathBuf::from(r"/s\,t")),
        shutdown_flush: Duration::from_secs(1),
        library_type: "l".into(),
        debugdir: vec!["/d".into(), "/e".into()],
        log: LogTarget::Stdout,
        log_level: log::LevelFilter::Error,
        strict: true,
        ..Options::default()
    };
    assert_eq!(parsed.options, expected);
}

#[test]
fn upload_address_from_each_source() {
    let base = |text: &str| Url::Base(text.to_owned());
    let dd = ("DD_AGENT_HOST", "node");
    let dd_port = ("DD_TRACE_AGENT_PORT", "8126");
    let dk = ("DK_AGENT_HOST", "pod");
    let dk_port = ("DK_AGENT_PORT", "1");
    let flameshot = ("FLAMESHOT_DATAKIT_ADDR", "http://f:9529/profiling/v1/input");
    let datakit = ("DATAKIT_URL", "http://d:9529");
    let host_property = ("dd.agent.host", "prop");
    let port_property = ("dd.trace.agent.port", "2");
    for (text, given, expected, origin) in [
        (
            "",
            vec![dd],
            base("http://node:9529"),
            Origin::Variable("DD_AGENT_HOST"),
        ),
        (
            "",
            vec![dd_port],
            base("http://localhost:8126"),
            Origin::Variable("DD_TRACE_AGENT_PORT"),
        ),
        (
            "",
            vec![dd, dd_port, dk, dk_port],
            base("http://node:8126"),
            Origin::Variable("DD_AGENT_HOST"),
        ),
        (
            "",
            vec![dk, dk_port, flameshot],
            base("http://pod:1"),
            Origin::Variable("DK_AGENT_HOST"),
        ),
        (
            "",
            vec![dk, flameshot],
            base("http://pod:9529"),
            Origin::Variable("DK_AGENT_HOST"),
        ),
        (
            "",
            vec![dk_port],
            base("http://localhost:1"),
            Origin::Variable("DK_AGENT_PORT"),
        ),
        (
            "",
            vec![flameshot],
            base("http://f:9529/profiling/v1/input"),
            Origin::Variable("FLAMESHOT_DATAKIT_ADDR"),
        ),
        (
            "",
            vec![datakit, dd, dk, flameshot],
            base("http://d:9529"),
            Origin::Variable("DATAKIT_URL"),
        ),
        (
            "",
            vec![("JPROF_URL", "http://j"), datakit, dd],
            base("http://j"),
            Origin::Variable("JPROF_URL"),
        ),
        (
            "",
            vec![host_property, ("JPROF_URL", "http://j")],
            base("http://prop:9529"),
            Origin::Property("dd.agent.host"),
        ),
        (
            "",
            vec![host_property, dd_port],
            base("http://prop:8126"),
            Origin::Property("dd.agent.host"),
        ),
        (
            "",
            vec![port_property, dd, dd_port, datakit],
            base("http://node:2"),
            Origin::Property("dd.trace.agent.port"),
        ),
        (
            "",
            vec![host_property, port_property],
            base("http://prop:2"),
            Origin::Property("dd.agent.host"),
        ),
        (
            "url=none",
            vec![host_property, dd, datakit],
            Url::None,
            Origin::AgentString,
        ),
        (
            "url=http://u",
            vec![host_property, dd],
            base("http://u"),
            Origin::AgentString,
        ),
        (
            "",
            vec![("DD_AGENT_HOST", "")],
            base("http://localhost:9529"),
            Origin::Default,
        ),
        // A wrong one is passed over.
        (
            "",
            vec![("DATAKIT_URL", "nonsense"), dd],
            base("http://node:9529"),
            Origin::Variable("DD_AGENT_HOST"),
        ),
    ] {
        let parsed = parse_with(text, &given);
        assert_eq!(
            (&parsed.options.url, parsed.origin("url")),
            (&expected, origin),
            "{text} {given:?}"
        );
    }
}

#[test]
fn wrong_address_in_a_pair_is_named_by_its_host() {
    let parsed = parse_with(
        "",
        &[("DD_AGENT_HOST", "node"), ("DD_TRACE_AGENT_PORT", "x")],
    );
    assert_eq!(parsed.options.url, Options::default().url);
    assert_eq!(
        lines(&parsed),
        [
            "variable DD_AGENT_HOST=http://node:x: has a port that is not a number from 1 to 65535; it takes DataKit's \
          address such as http://localhost:9529, or none"
        ]
    );
    assert_eq!(parsed.complaints[0].severity, Severity::Note);
}

#[test]
fn tags_come_whole_from_the_first_source_that_has_any() {
    for (text, given, expected) in [
        (
            "tags=a:1",
            vec![("dd.tags", "b:2"), ("DD_TAGS", "c:3")],
            tags(&[("a", "1")]),
        ),
        (
            "",
            vec![("dd.tags", "b:2 c:3"), ("DD_TAGS", "d:4")],
            tags(&[("b", "2"), ("c", "3")]),
        ),
        (
            "",
            vec![("DD_TAGS", "a:1,b:2 c:3"), ("FLAMESHOT_TAGS", "d:4")],
            tags(&[("a", "1"), ("b", "2"), ("c", "3")]),
        ),
        (
            "",
            vec![("FLAMESHOT_TAGS", "a: 1,b:2")],
            tags(&[("a", "1"), ("b", "2")]),
        ),
        ("tags=x", vec![("DD_TAGS", "a:1")], tags(&[("a", "1")])),
    ] {
        assert_eq!(
            parse_with(text, &given).options.tags,
            expected,
            "{text} {given:?}"
        );
    }
    assert_eq!(
        lines(&parse_with("tags=a:1;b", &[])),
        [
            "option tags=a:1;b: \"b\" is no tag and is left out; it takes tags such as team:shop;zone:a"
        ]
    );
}

#[test]
fn options_among_the_tags() {
    // What the operator's injection sets: the node's name as host.
    let parsed = parse_with(
        "",
        &[
            ("DD_TAGS", "pod_name:p,host:node-1,env:dev"),
            ("APP_ENV", "app"),
            ("HOST_NAME", "x"),
        ],
    );
    assert_eq!(parsed.options.tags, tags(&[("pod_name", "p")]));
    assert_eq!(parsed.options.host.as_deref(), Some("node-1"));
    assert_eq!(parsed.options.env.as_deref(), Some("dev"));
    assert_eq!(parsed.origin("host"), Origin::Variable("DD_TAGS"));

    let parsed = parse_with("", &[("DD_TAGS", "env:dev"), ("DD_ENV", "prod")]);
    assert_eq!(parsed.options.env.as_deref(), Some("prod"));
    assert_eq!(parsed.options.tags, []);

    let parsed = parse_with(
        "tags=env:dev;service:s",
        &[("DD_ENV", "prod"), ("dk.service", "t")],
    );
    assert_eq!(parsed.options.env.as_deref(), Some("dev"));
    assert_eq!(parsed.options.service.as_deref(), Some("s"));

    let parsed = parse_with("tags=env:dev,env=prod", &[]);
    assert_eq!(parsed.options.env.as_deref(), Some("prod"));
    assert_eq!(parsed.options.tags, []);
}

#[test]
fn variables_of_the_scheduled_profiler() {
    for (given, expected) in [
        (vec![("DK_PROFILE_INTERVAL", "30")], 30),
        (
            vec![("DK_PROFILE_INTERVAL", "30"), ("DK_PROFILE_DURATION", "20")],
            30,
        ),
        (vec![("DK_PROFILE_DURATION", "240")], 60),
        (vec![("DK_PROFILE_DURATION", "86400")], 60),
        (vec![("DK_PROFILE_DURATION", "20")], 20),
        (
            vec![("JPROF_PERIOD", "10"), ("DK_PROFILE_INTERVAL", "30")],
            10,
        ),
    ] {
        let parsed = parse_with("", &given);
        assert_eq!(
            parsed.options.period,
            Duration::from_secs(expected),
            "{given:?}"
        );
        assert_eq!(parsed.complaints, [], "{given:?}");
    }
    let parsed = parse_with("", &[("DK_PROFILE_EVENT", "cpu,alloc,lock")]);
    assert_eq!(parsed.options.event, Event::Cpu);
    assert_eq!(
        lines(&parsed),
        [
            "variable DK_PROFILE_EVENT=cpu,alloc,lock: lock is not in this version yet; no such samples are taken"
        ]
    );
}

#[test]
fn wrong_value_gives_way_to_the_next_source() {
    let parsed = parse_with("interval=fast", &[("JPROF_INTERVAL", "5ms")]);
    assert_eq!(parsed.options.interval, Duration::from_millis(5));
    assert_eq!(
        parsed.origin("interval"),
        Origin::Variable("JPROF_INTERVAL")
    );
    assert_eq!(parsed.complaints.len(), 1);
}
