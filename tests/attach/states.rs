//! JVMs that cannot be attached to, or not yet: each is told, and lives on.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{
    LONG, LONG_ONCE, attach, check_nothing_left, detach, end, end_without_handler, jprof, let_work,
    started, state, to_file,
};
use crate::support::{
    ALL, OLD_AND_USUAL, Profile, Program, Running, Signal, at_once, folder, library, on_jdks,
    on_jdks_at_once, skip,
};

#[test]
fn a_jvm_that_rules_attaching_out_is_sent_no_signal() {
    on_jdks_at_once("-XX:+DisableAttachMechanism", ALL, |jdk| {
        const FLAG: &str = "-XX:+DisableAttachMechanism";
        let folder = folder();
        let file = folder.path().join("arguments");
        fs::write(&file, FLAG).expect("a file");
        let mut programs = vec![Program::new(jdk, "Idle", LONG).jvm(FLAG)];
        programs.push(Program::new(jdk, "Idle", LONG).env("JAVA_TOOL_OPTIONS", FLAG));
        if jdk.version > 8 {
            // Its command line does not say it.
            programs.push(Program::new(jdk, "Idle", LONG).jvm(format!("@{}", file.display())));
        }
        for program in programs {
            let running = started(program);
            let pid = running.pid();
            attach(pid, "")
                .refused(&["was started with -XX:+DisableAttachMechanism", "-agentpath"]);
            check_nothing_left(Path::new("/tmp"), pid);
            end(running);
        }
    });
}

#[test]
fn a_jvm_that_loads_no_agents_is_told_from_one_that_does() {
    on_jdks_at_once("-XX:-EnableDynamicAgentLoading", &[11, 17, 21, 25], |jdk| {
        let flag = "-XX:-EnableDynamicAgentLoading";
        let running = started(Program::new(jdk, "Idle", LONG).jvm(flag));
        attach(running.pid(), "").refused(&[flag]);
        assert_eq!(state(running.pid()), "not loaded");
        end(running);
    });
}

#[test]
fn a_jvm_without_a_signal_handler_is_reached_by_its_socket() {
    on_jdks_at_once("-Xrs", ALL, |jdk| {
        let folder = folder();
        let running = started(Program::new(jdk, "Idle", LONG).jvm("-Xrs"));
        let pid = running.pid();
        attach(pid, &to_file(&folder.path().join("x.jfr"))).done();
        detach(pid).done();
        end_without_handler(running);
    });
}

#[test]
fn a_jvm_without_signal_handler_and_socket_is_sent_no_signal() {
    on_jdks_at_once("-Xrs without a socket", OLD_AND_USUAL, |jdk| {
        let running = started(
            Program::new(jdk, "Idle", LONG)
                .jvm("-Xrs")
                .jvm("-XX:+DisableAttachMechanism"),
        );
        let pid = running.pid().to_string();
        let words = ["attach", &pid, "--timeout", "300ms", "--library"];
        let library = library();
        let words = [&words[..], &[library.to_str().expect("letters")]].concat();
        jprof(&words).refused(&["takes no SIGQUIT", "-Xrs", "-agentpath"]);
        end_without_handler(running);
    });
}

#[test]
fn a_jvm_that_gives_no_answer_is_given_up_in_time() {
    on_jdks_at_once("no socket", &[17], |jdk| {
        // Neither its command line nor its counters say that it does not listen.
        let folder = folder();
        let file = folder.path().join("arguments");
        fs::write(&file, "-XX:+DisableAttachMechanism -XX:-UsePerfData").expect("a file");
        let running = started(Program::new(jdk, "Idle", LONG).jvm(format!("@{}", file.display())));
        let pid = running.pid();
        let library = library();
        let words = [
            "attach",
            &pid.to_string(),
            "--timeout",
            "500ms",
            "--library",
        ];
        let words = [&words[..], &[library.to_str().expect("letters")]].concat();
        jprof(&words).refused(&["opened no attach socket within 0.5 s", "--timeout"]);
        check_nothing_left(Path::new("/tmp"), pid);
        // It has printed a thread dump: see the limits in docs/attach.md.
        running.signal(Signal::Term);
        running.finish().expect_code(128 + 15);
    });
}

/// Stops a program, and waits until it stands still.
fn stop(running: &Running) {
    running.signal(Signal::Stop);
    let status = format!("/proc/{}/status", running.pid());
    while !fs::read_to_string(&status)
        .expect("it lives")
        .contains("State:\tT")
    {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_jvm_that_is_stopped_is_told_and_lives_on() {
    on_jdks_at_once("SIGSTOP", ALL, |jdk| {
        let folder = folder();
        let running = started(Program::new(jdk, "Idle", LONG));
        let pid = running.pid();
        let options = to_file(&folder.path().join("x.jfr"));
        stop(&running);
        attach(pid, &options).refused(&["is stopped", "kill -CONT"]);
        running.signal(Signal::Continue);
        attach(pid, &options).done();
        stop(&running);
        detach(pid).refused(&["is stopped"]);
        assert_eq!(state(pid), "recording");
        running.signal(Signal::Continue);
        detach(pid).done();
        end(running);
    });
}

/// A control group of its own, frozen, for one process.
struct Freezer {
    folder: PathBuf,
    pid: u32,
}

impl Freezer {
    /// `None` where the tests may not make one.
    fn freeze(pid: u32) -> Option<Freezer> {
        let groups = [
            ("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN"),
            ("/sys/fs/cgroup", "cgroup.freeze", "1"),
        ];
        groups.into_iter().find_map(|(parent, file, word)| {
            let folder = Path::new(parent).join(format!("jprof-test-{pid}"));
            fs::create_dir(&folder).ok()?;
            let freezer = Freezer { folder, pid };
            fs::write(freezer.folder.join("cgroup.procs"), pid.to_string()).ok()?;
            fs::write(freezer.folder.join(file), word).ok()?;
            Some(freezer)
        })
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // One of the files is there.
        let _ = fs::write(self.folder.join("freezer.state"), "THAWED");
        let _ = fs::write(self.folder.join("cgroup.freeze"), "0");
        let parent = self.folder.parent().expect("a parent");
        let _ = fs::write(parent.join("cgroup.procs"), self.pid.to_string());
        let _ = fs::remove_dir(&self.folder);
    }
}

#[test]
fn a_jvm_that_is_frozen_is_told_and_lives_on() {
    on_jdks_at_once("a frozen JVM", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let running = started(Program::new(jdk, "Idle", LONG));
        let pid = running.pid();
        let Some(freezer) = Freezer::freeze(pid) else {
            skip("attach to a frozen JVM: no control group may be made here");
            return;
        };
        attach(pid, "").refused(&["is frozen", "thaw"]);
        drop(freezer);
        attach(pid, &to_file(&folder.path().join("x.jfr"))).done();
        end(running);
    });
}

#[test]
fn a_jvm_that_starts_is_waited_for() {
    on_jdks("attach at the start", ALL, |jdk| {
        at_once(&[0, 50, 100, 150], |&delay_millis| {
            let folder = folder();
            let file = folder.path().join("early.jfr");
            let running = Program::new(jdk, "BusyThreads", LONG_ONCE).start();
            thread::sleep(Duration::from_millis(delay_millis));
            let said = attach(running.pid(), &to_file(&file));
            if said.code == Some(0) {
                let_work(running.pid());
            }
            end(running);
            said.done();
            assert!(!Profile::of_file(&file).samples.is_empty());
        });
    });
}
