//! Other users' JVMs, and those in containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{
    LONG, LONG_ONCE, NOBODY, attach_as, check_ended, check_nothing_left, detach, end, jprof_as,
    let_work, started, state, to_file,
};
use crate::support::{
    ALL, Jdk, OLD_AND_USUAL, Profile, Program, Running, Signal, folder, is_root, library,
    on_jdks_at_once, root, send, skip,
};

#[test]
fn root_reaches_every_user_and_others_themselves() {
    if !is_root() {
        skip("attach as another user: the tests do not run as root");
        return;
    }
    on_jdks_at_once("attach to another user's JVM", ALL, |jdk| {
        for caller in [None, Some(NOBODY)] {
            let folder = folder();
            let running = started(Program::new(jdk, "BusyThreads", LONG_ONCE).user(NOBODY));
            let pid = running.pid();
            let file = folder.path().join("x.jfr");
            attach_as(caller, pid, &library(), &to_file(&file)).done();
            let_work(pid);
            jprof_as(caller, &["detach", &pid.to_string()]).done();
            check_nothing_left(Path::new("/tmp"), pid);
            end(running);
            Profile::of_file(&file);
        }
    });
}

#[test]
fn another_users_jvm_is_refused_in_clear_words() {
    if !is_root() {
        skip("attach to root's JVM as another user: the tests do not run as root");
        return;
    }
    on_jdks_at_once("attach to root's JVM", &[17], |jdk| {
        let running = started(Program::new(jdk, "Idle", LONG));
        let pid = running.pid().to_string();
        let said = attach_as(Some(NOBODY), running.pid(), &library(), "");
        said.refused(&["belongs to user root", "as that user or as root"]);
        jprof_as(Some(NOBODY), &["status", &pid]).refused(&["belongs to user root"]);
        let list = jprof_as(Some(NOBODY), &["list"]);
        assert!(list.stderr.contains("left out"), "{list:?}");
        assert!(!list.done().contains(&pid));
        end(running);
    });
}

/// Starts the program in namespaces of its own, as a container has them: it is process 1 there. Its `/tmp` is mounted with
/// these options and empty, but for the checkout and the JDKs if they are below.
fn contained(jdk: &Jdk, program: Program, options: &str) -> Option<Running> {
    let script = format!(
        r#"
        mount --bind /tmp /mnt && mount -t tmpfs -o {options} tmpfs /tmp || exit
        for folder in "$1" "$2"; do
            case $folder in /tmp/*)
                mkdir -p "$folder" && mount --bind "/mnt/${{folder#/tmp/}}" "$folder" || exit
            esac
        done
        umount /mnt && shift 2 && exec "$@"
        "#
    );
    let jdks = jdk.home().parent().expect("a folder of JDKs");
    let folders = [root(), jdks].map(|folder| folder.to_str().expect("letters"));
    let unshare = "unshare --pid --mount --fork --kill-child --mount-proc sh -c";
    let mut words: Vec<&str> = unshare.split(' ').collect();
    words.extend([&script, "sh"]);
    words.extend(folders);
    let probe = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .output();
    probe
        .is_ok_and(|output| output.status.success())
        .then(|| started(program.by(&words)))
}

/// The only child of a process.
fn child_of(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("a kernel that tells");
    children.trim().parse().expect("one child")
}

fn check_contained(jdk: &Jdk, program: Program, options: &str) {
    let Some(running) = contained(jdk, program, options) else {
        skip(&format!(
            "attach into a container on JDK {}: namespaces are refused here",
            jdk.version
        ));
        return;
    };
    // Inside its /tmp, the host's is not seen.
    let hidden = folder();
    let copy = hidden.path().join("libjprof.so");
    fs::copy(library(), &copy).expect("a copy");
    let pid = child_of(running.pid());
    let inside = PathBuf::from(format!("/proc/{pid}/root/tmp"));
    attach_as(None, pid, &copy, &to_file(Path::new("/tmp/inside.jfr"))).done();
    assert_eq!(state(pid), "recording");
    let_work(pid);
    // Which copy is in there is known, though it has no name any more: there is no second one.
    let again = attach_as(None, pid, &copy, "").done();
    assert!(again.contains("records on"), "{again}");
    detach(pid).done();
    assert_eq!(state(pid), "loaded");
    check_nothing_left(&inside, 1);
    for place in ["/tmp", "/var/tmp", "/dev/shm"] {
        check_nothing_left(Path::new(place), 1);
    }
    Profile::of_file(&inside.join("inside.jfr"));
    send(pid, Signal::Term);
    check_ended(running.finish());
}

#[test]
fn a_jvm_in_a_container_is_reached_from_outside() {
    on_jdks_at_once("attach into a container", ALL, |jdk| {
        check_contained(
            jdk,
            Program::new(jdk, "BusyThreads", LONG_ONCE),
            "mode=1777",
        );
    });
}

#[test]
fn a_container_where_nothing_in_tmp_runs() {
    on_jdks_at_once("attach into a container, noexec", OLD_AND_USUAL, |jdk| {
        let program = Program::new(jdk, "BusyThreads", LONG_ONCE);
        check_contained(jdk, program, "mode=1777,noexec");
    });
}
