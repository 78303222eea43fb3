//! What is wrong, and what is held against the user.

use super::*;

#[test]
fn wrong_words_are_said_in_one_line_each() {
    let period = "it takes a length of time from 1s to 1h: a whole number with ms, s, m or h, seconds without";
    for (text, expected) in [
        ("perod=60", "option perod=60: unknown option; did you mean period?".to_owned()),
        ("period=0", format!("option period=0: is too short; {period}")),
        ("period=2h", format!("option period=2h: is too long; {period}")),
        ("period=ten", format!("option period=ten: is not a whole number; {period}")),
        ("period=5d", format!("option period=5d: has an unknown unit; {period}")),
        ("period=", format!("option period=: has no value; {period}")),
        ("period", format!("option period: has no value; {period}")),
        ("stackdepth=0", "option stackdepth=0: is too small; it takes a whole number from 1 to 8192".to_owned()),
        ("names=long", "option names=long: is no manner of names; it takes readable or raw".to_owned()),
        ("dialect=jfr", "option dialect=jfr: is no dialect; it takes datakit or jdk".to_owned()),
        ("walker=fp", "option walker=fp: is no walker; it takes vm, agct or both".to_owned()),
        (
            "url=localhost:9529",
            "option url=localhost:9529: does not begin with http:// or https://; it takes DataKit's address such as \
             http://localhost:9529, or none"
                .to_owned(),
        ),
        (
            "file=%x.jfr",
            "option file=%x.jfr: has a % that none of p, t, n, {NAME} and % follows; it takes a path, in which %p is \
             the process id, %t the time, %n a number, %{NAME} a variable and %% a percent sign"
                .to_owned(),
        ),
        ("strict=maybe", "option strict=maybe: is neither on nor off; it takes on or off, and means on without a value".to_owned()),
        ("event=cpu,start", "option start: is an action, which only the first word can be".to_owned()),
        (
            "=x",
            "option =x: unknown option; there are service, env, version, host, tags, period, url, file, event, \
             interval, alloc, live, dialect, walker, stackdepth, names, spool, shutdown_flush, library_type, debugdir, log, loglevel, strict"
                .to_owned(),
        ),
    ] {
        let parsed = parse(text, &NoSources);
        assert_eq!(lines(&parsed), [expected], "{text}");
        assert_eq!(parsed.options, Options::default(), "{text}");
        assert_eq!(parsed.complaints[0].severity, Severity::Wrong, "{text}");
    }
}

#[test]
fn remarks_are_held_against_nobody() {
    for (text, expected) in [
        (
            "lock=1ms",
            "option lock=1ms: not in this version yet; it has no effect",
        ),
        (
            "period=10,period=20",
            "option period=10: is given again, and the later value counts",
        ),
        (
            "url=none",
            "option url=none: profiles go nowhere: there is no upload and no file; give url or file",
        ),
    ] {
        let parsed = parse(&format!("strict,{text}"), &NoSources);
        assert_eq!(lines(&parsed), [expected], "{text}");
        assert!(!parsed.refuses_start(), "{text}");
    }
    assert_eq!(
        parse("period=10,period=20", &NoSources).options.period,
        Duration::from_secs(20)
    );
}

#[test]
fn strict_refuses_what_the_user_got_wrong() {
    assert!(parse("strict,perod=60", &NoSources).refuses_start());
    assert!(parse("strict=on,period=x", &NoSources).refuses_start());
    assert!(parse_with("strict", &[("JPROF_PERIOD", "x")]).refuses_start());
    assert!(parse_with("period=x", &[("JPROF_STRICT", "on")]).refuses_start());
    assert!(!parse("perod=60", &NoSources).refuses_start());
    assert!(!parse("strict=off,perod=60", &NoSources).refuses_start());
    assert!(!parse("strict", &NoSources).refuses_start());
    // Other products' variables are not the user's mistake here.
    assert!(!parse_with("strict", &[("DATAKIT_URL", "x"), ("DD_TAGS", "x")]).refuses_start());
}
