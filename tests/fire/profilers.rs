//! async-profiler in the same JVM. Its events are for one signal each, and end when that one is lost: whoever is second takes
//! another signal.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{bystander, check_share_of_major, recorded};
use crate::accuracy::Measured;
use crate::attach::attach;
use crate::support::{Jdk, OLD_AND_USUAL, Profile, Program, Run, folder, on_jdks, root, skip};

/// async-profiler's samples beside jprof, of those that it takes alone.
const KEPT: std::ops::RangeInclusive<f64> = 0.85..=1.2;

/// Where `scripts/async-profiler.sh` has put the library.
pub(super) fn library(test: &str) -> Option<PathBuf> {
    let path = match std::env::var_os("JPROF_ASYNC_PROFILER") {
        Some(path) => PathBuf::from(path),
        None => {
            let target = std::env::var_os("CARGO_TARGET_DIR");
            let target = target.map_or_else(|| root().join("target"), PathBuf::from);
            target.join("async-profiler/libasyncProfiler.so")
        }
    };
    if path.is_file() {
        return Some(path);
    }
    skip(&format!(
        "{test}: no async-profiler (scripts/async-profiler.sh)"
    ));
    None
}

fn options(file: &Path) -> String {
    format!("start,event=cpu,interval=1ms,file={}", file.display())
}

fn profiled(jdk: &Jdk, library: &Path, file: &Path) -> Program {
    let argument = format!("-agentpath:{}={}", library.display(), options(file));
    bystander(jdk).jvm(argument)
}

#[test]
fn async_profiler_that_was_first_goes_on() {
    let test = "async-profiler, then jprof";
    let Some(library) = library(test) else { return };
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let (alone, beside) = (
            folder.path().join("alone.jfr"),
            folder.path().join("beside.jfr"),
        );
        let plain = profiled(jdk, &library, &alone).run().expect_code(3);
        let program = profiled(jdk, &library, &beside);
        let alike = recorded(program, "interval=1ms", &plain);
        let ours = alike.says_nothing().measured().profile;
        check_share_of_major(&ours);
        check_theirs(jdk, &alone, &beside);
    });
}

#[test]
fn async_profiler_that_was_first_goes_on_when_jprof_is_attached() {
    let test = "async-profiler, then jprof attached";
    let Some(library) = library(test) else { return };
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let (alone, beside) = (
            folder.path().join("alone.jfr"),
            folder.path().join("beside.jfr"),
        );
        let ours = folder.path().join("ours.jfr");
        let plain = profiled(jdk, &library, &alone).run().expect_code(3);
        let mut running = profiled(jdk, &library, &beside).start();
        running.wait_for("begins");
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            ours.display()
        );
        attach(running.pid(), &options).done();
        let mut run = running.finish();
        run.stderr = without_jvms_notice(&run);
        super::check_alike(&plain, &run);
        assert_eq!(run.agent_lines(), Vec::<&str>::new());
        let measured = Measured {
            run,
            profile: Profile::of_file(&ours),
        };
        measured.check_sum();
        check_share_of_major(&measured.profile);
        check_theirs(jdk, &alone, &beside);
    });
}

/// Standard error but for the JVM's own notice of an agent that was attached (21 and newer).
fn without_jvms_notice(run: &Run) -> String {
    let lines = run.stderr.lines();
    let lines = lines.filter(|line| !line.starts_with("WARNING: "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn check_theirs(jdk: &Jdk, alone: &Path, beside: &Path) {
    let [alone, beside] = [alone, beside].map(|file| check_share_of_major(&Profile::of_file(file)));
    eprintln!(
        "JDK {}: async-profiler has {beside} samples, {alone} alone",
        jdk.version
    );
    assert!(
        KEPT.contains(&(beside as f64 / alone as f64)),
        "{beside} of {alone}"
    );
}

/// It takes another signal than SIGPROF by itself where that is taken.
#[test]
fn async_profiler_that_comes_later_and_jprof_both_go_on() {
    let test = "jprof, then async-profiler";
    let Some(library) = library(test) else { return };
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let (alone, beside) = (
            folder.path().join("alone.jfr"),
            folder.path().join("beside.jfr"),
        );
        let ours = folder.path().join("ours.jfr");
        let program = || bystander(jdk);
        let theirs = |file: &Path| format!("-agentpath:{}={}", library.display(), options(file));
        let plain = program().jvm(theirs(&alone)).run().expect_code(3);
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            ours.display()
        );
        let run = program().agent(&options).jvm(theirs(&beside)).run();
        super::check_alike(&plain, &run);
        check_ours(run, &ours);
        check_theirs(jdk, &alone, &beside);
    });
}

/// As above, when it is attached to a JVM in which jprof records.
#[test]
fn async_profiler_that_is_attached_later_and_jprof_both_go_on() {
    let test = "jprof, then async-profiler attached";
    let Some(library) = library(test) else { return };
    // jcmd of JDK 8 loads no agents.
    on_jdks(test, &[17], |jdk| {
        let folder = folder();
        let (beside, ours) = (
            folder.path().join("beside.jfr"),
            folder.path().join("ours.jfr"),
        );
        let program = Program::new(jdk, "Bystander", LONG);
        let options_of_ours = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            ours.display()
        );
        let mut running = program.agent(&options_of_ours).start();
        running.wait_for("begins");
        let load = Command::new(jdk.tool("jcmd"))
            .args([&running.pid().to_string(), "JVMTI.agent_load"])
            .arg(&library)
            .arg(format!("\"{}\"", options(&beside)))
            .output()
            .expect("jcmd runs");
        assert!(load.status.success(), "{load:?}");
        let mut run = running.finish();
        run.stderr = without_jvms_notice(&run);
        check_ours(run, &ours);
        check_share_of_major(&Profile::of_file(&beside));
    });
}

fn check_ours(run: Run, file: &Path) {
    let profile = Profile::of_file(file);
    let all = profile.weight(|_| true);
    let own =
        profile.weight(|sample| sample.stack.is_resolved() && sample.stack.has("Bystander.work"));
    eprintln!(
        "{own} of {all} intervals have a stack of the program's own: {:?}",
        run.agent_lines()
    );
    assert!(own * 2 > all, "{own} of {all}");
    let measured = Measured { run, profile };
    measured.check_sum();
    check_share_of_major(&measured.profile);
}

/// Longer than it takes to attach.
const LONG: &[&str] = &["60000", "2", "8"];
