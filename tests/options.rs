//! Options from every place, and what is wrong with them.

use std::path::Path;

use crate::endings::{check_delivery, upload};
use crate::support::{
    DataKit, OLD_AND_USUAL, Profile, Program, Run, agent_argument, folder, on_jdks,
};

/// A short run that does not mind the agent.
fn run(jdk: &crate::support::Jdk, options: &str) -> Run {
    Program::new(jdk, "ExitKinds", &["0.5"])
        .agent(options)
        .run()
        .expect_success()
}

/// The agent said one line, with these words.
fn check_one_line(run: &Run, words: &[&str]) {
    let lines = run.agent_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in words {
        assert!(lines[0].contains(word), "{word}: {lines:?}");
    }
    assert_eq!(run.other_lines(), Vec::<&str>::new());
}

fn file_only(file: &Path) -> String {
    format!("url=none,file={}", file.display())
}

#[test]
fn the_agent_comes_by_environment_variables_too() {
    on_jdks("JAVA_TOOL_OPTIONS", OLD_AND_USUAL, |jdk| {
        let mut variables = vec!["JAVA_TOOL_OPTIONS"];
        if jdk.version > 8 {
            variables.push("JDK_JAVA_OPTIONS");
        }
        for variable in variables {
            let (datakit, spool) = (DataKit::start(), folder());
            let options = upload(
                &datakit,
                &spool.path().join("spool"),
                "service=a\\,b,tags=x:1;y:2",
            );
            let run = Program::new(jdk, "ExitKinds", &["0.5"])
                .env(variable, agent_argument(&options))
                .run()
                .expect_success();
            let uploads = datakit.uploads();
            check_delivery(&run, &uploads);
            // DataKit splits tags at commas: there is none in a value.
            let service = uploads[0].tag("service").expect("a service");
            assert!(
                service.starts_with('a') && service.ends_with('b'),
                "{service}"
            );
            assert_eq!(
                (uploads[0].tag("x"), uploads[0].tag("y")),
                (Some("1"), Some("2"))
            );
        }
    });
}

#[test]
fn options_fall_back_to_properties_and_variables() {
    on_jdks("fall-backs", &[17], |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let run = Program::new(jdk, "ExitKinds", &["0.5"])
            .agent("version=1.2")
            .jvm("-Ddd.service=from-property")
            .env("DD_SERVICE", "from-variable")
            .env("DD_ENV", "prod")
            .env("DD_VERSION", "9")
            .env("DATAKIT_URL", datakit.url())
            .env("JPROF_SPOOL", spool.path().join("spool"))
            .run()
            .expect_success();
        let uploads = datakit.uploads();
        check_delivery(&run, &uploads);
        let tag = |name| uploads[0].tag(name);
        assert_eq!(tag("service"), Some("from-property"));
        assert_eq!(tag("env"), Some("prod"));
        assert_eq!(tag("version"), Some("1.2"));
        assert_eq!(tag("language"), Some("java"));
        assert_eq!(tag("process_name"), Some("ExitKinds"));
        assert!(tag("host").is_some_and(|host| !host.is_empty()));
    });
}

#[test]
fn a_wrong_option_is_one_line_and_the_application_runs() {
    on_jdks("wrong options", OLD_AND_USUAL, |jdk| {
        for (wrong, words) in [
            ("perod=60", ["perod", "period"]),
            ("interval=fast", ["interval", "fast"]),
            ("event=cycles", ["event=cycles", "event=cpu"]),
        ] {
            let folder = folder();
            let file = folder.path().join("all.jfr");
            check_one_line(&run(jdk, &format!("{wrong},{}", file_only(&file))), &words);
        }
    });
}

#[test]
fn strict_stops_the_start_for_a_wrong_option_only() {
    on_jdks("strict", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let refused = Program::new(jdk, "ExitKinds", &["0.5"])
            .agent(&format!("strict,perod=60,{}", file_only(&file)))
            .run()
            .expect_code(1);
        assert!(!refused.stdout.contains("truth"), "{}", refused.stdout);
        let lines = refused.agent_lines();
        assert!(lines.iter().any(|line| line.contains("perod")), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.contains("strict")),
            "{lines:?}"
        );
        let started = run(jdk, &format!("strict,{}", file_only(&file)));
        assert_eq!(started.agent_lines(), Vec::<&str>::new());
    });
}

#[test]
fn a_second_load_is_refused_and_the_first_goes_on() {
    on_jdks("second load", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let run = Program::new(jdk, "ExitKinds", &["0.5"])
            .agent(&format!("interval=1ms,{}", file_only(&file)))
            .agent("url=none,interval=7ms,file=/nowhere/second.jfr")
            .run()
            .expect_success();
        check_one_line(&run, &["loaded", "already"]);
        let profile = Profile::of_file(&file);
        assert!(!profile.samples.is_empty());
    });
}

#[test]
fn an_address_or_folder_that_cannot_be_used_is_said_and_the_application_runs() {
    on_jdks("unusable places", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let spool = folder.path().join("spool");
        let spool = spool.display();
        check_one_line(
            &run(
                jdk,
                &format!("url=http://no-such-host.invalid,shutdown_flush=1s,spool={spool}"),
            ),
            &["no-such-host.invalid"],
        );
        // Nobody can make a folder there, not even root.
        check_one_line(
            &run(jdk, "url=http://127.0.0.1:9,spool=/proc/spool"),
            &["/proc/spool"],
        );
        check_one_line(&run(jdk, "url=none,file=/proc/all.jfr"), &["/proc/all.jfr"]);
    });
}

#[test]
fn the_next_source_counts_where_one_is_wrong() {
    on_jdks("unknown url", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let spool = spool.path().join("spool");
        let run = Program::new(jdk, "ExitKinds", &["0.5"])
            .agent(&format!("url=ftp://x,spool={}", spool.display()))
            .env("DATAKIT_URL", datakit.url())
            .run()
            .expect_success();
        check_one_line(&run, &["url", "ftp://x", "http"]);
        check_delivery(&run, &datakit.uploads());
    });
}

#[test]
fn without_cpu_samples_nothing_is_sampled() {
    on_jdks("event=none", &[17], |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let run = run(
            jdk,
            &format!("event=none,dialect=datakit,{}", file_only(&file)),
        );
        assert_eq!(run.agent_lines(), Vec::<&str>::new());
        let profile = Profile::of_file(&file);
        let sampled = profile
            .samples
            .iter()
            .filter(|sample| sample.stack.is_sampled());
        assert_eq!(sampled.count(), 0);
        assert_eq!(profile.counter("ticks"), 0);
    });
}
