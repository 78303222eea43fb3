//! Others in the same JVM: libraries and programs with signals of their own, agents in Java and by JVMTI, Flight Recorder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{bystander, check_share_of_major, guest, recorded};
use crate::accuracy::engines;
use crate::support::{Jdk, OLD_AND_USUAL, Profile, Program, Run, at_once, folder, on_jdks};

/// How often `OwnSignals` sends each signal in each way.
const TIMES: u64 = 50;
/// Ways in which it sends SIGPROF.
const WAYS: u64 = 7;

#[test]
fn signals_of_the_application_come_as_they_were_sent() {
    let test = "the application's own signals";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let library = guest().to_str().expect("letters");
        let program = |guest: &str| {
            let program = Program::new(jdk, "OwnSignals", &[&TIMES.to_string(), library]);
            program.jvm(format!("-agentpath:{library}{guest}"))
        };
        let plain = program("").run().expect_code(3);
        eprintln!("JDK {}: {}", jdk.version, plain.stdout.replace('\n', ", "));
        for line in plain.stdout.lines().filter(|line| *line != "begins") {
            assert!(line.ends_with(&format!(" {TIMES}")), "{line}");
        }
        // Where both of the signals that jprof takes are taken, it comes before a handler, and passes signals on.
        let engines = engines(test);
        let cases: Vec<(&str, &str)> = engines
            .iter()
            .flat_map(|&engine| [(engine, ""), (engine, "=all")])
            .collect();
        at_once(&cases, |&(engine, guest)| {
            let options = format!("interval=1ms,event={engine}");
            let alike = recorded(program(guest), &options, &plain).says_nothing();
            let profile = alike.measured().profile;
            let foreign = profile.counter("foreign_signals");
            let worked = profile.weight(|sample| sample.thread.starts_with("worker-"));
            eprintln!(
                "{engine}{guest}: {foreign} signals passed on, {worked} intervals of workers"
            );
            if guest.is_empty() {
                // Only late ones of its own.
                assert!(foreign < TIMES, "{foreign}");
            } else {
                assert!(foreign >= TIMES * WAYS, "{foreign}");
            }
            assert!(worked > 0);
        });
    });
}

/// A jar with a Java agent of the harness.
fn observer_jar(jdk: &Jdk, folder: &Path) -> PathBuf {
    let manifest = folder.join("manifest");
    fs::write(&manifest, "Premain-Class: io.jprof.harness.Observer\n").expect("a file");
    let jar = folder.join("observer.jar");
    let status = Command::new(jdk.tool("jar"))
        .arg("cfm")
        .args([&jar, &manifest])
        .status();
    assert!(status.expect("jar runs").success());
    jar
}

/// The program, with what others have on their command line: an agent in Java, the debugger's agent, and Flight Recorder.
fn accompanied(jdk: &Jdk, jar: &Path, recording: &Path) -> Program {
    bystander(jdk)
        .jvm(format!("-javaagent:{}", jar.display()))
        .jvm("-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,quiet=y,address=127.0.0.1:0")
        .jvm(format!(
            "-XX:StartFlightRecording=settings=profile,dumponexit=true,filename={}",
            recording.display()
        ))
}

/// Flight Recorder's samples of the program's threads in their work.
fn flight_recorder(file: &Path) -> u64 {
    let profile = Profile::of_file(file);
    profile.weight(|sample| {
        sample.thread.starts_with("bystander-") && sample.stack.has("Bystander.work")
    })
}

#[test]
fn java_agents_the_debugger_and_flight_recorder_work_beside() {
    on_jdks("agents and Flight Recorder", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let jar = observer_jar(jdk, folder.path());
        let recording = |name: &str| folder.path().join(name);
        let (alone, beside) = (recording("alone.jfr"), recording("beside.jfr"));
        let plain = without_notice(accompanied(jdk, &jar, &alone).run().expect_code(3));
        let program = accompanied(jdk, &jar, &beside);
        let ours = recording("ours.jfr");
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            ours.display()
        );
        let with = without_notice(program.agent(&options).run());
        super::check_alike(&plain, &with);
        assert!(with.stdout.contains("observed io/jprof/harness/Bystander"));
        assert_eq!(with.agent_lines(), Vec::<&str>::new());
        let profile = Profile::of_file(&ours);
        crate::accuracy::Measured { run: with, profile }.check_sum();
        check_share_of_major(&Profile::of_file(&ours));

        let (alone, beside) = (flight_recorder(&alone), flight_recorder(&beside));
        eprintln!(
            "JDK {}: Flight Recorder has {beside} samples, {alone} without jprof",
            jdk.version
        );
        assert!(beside > 10, "{beside}");
        // It samples by the wall clock, a machine that is busy elsewhere less often.
        assert!(beside * 4 >= alone, "{beside} of {alone}");
    });
}

/// What Flight Recorder says at its start on standard output names the time, the process and the recording's file.
fn without_notice(mut run: Run) -> Run {
    let notice = |line: &&str| {
        line.contains("[jfr,startup]")
            || line.starts_with("Started recording ")
            || line.starts_with("Use jcmd ")
            || line.is_empty()
    };
    let lines = run.stdout.lines().filter(|line| !notice(line));
    run.stdout = lines.map(|line| format!("{line}\n")).collect();
    run
}
