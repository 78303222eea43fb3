//! `jprof attach` and its like, at JVMs in every state: it loads the agent or says why not, and harms nobody.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::accuracy::Measured;
use crate::support::{
    ALL, Jdk, OLD_AND_USUAL, Profile, Program, Run, Running, Signal, at_once, command, folder,
    is_root, library, on_jdks, on_jdks_at_once, process_cpu_nanos, root, send, skip,
};

/// Programs run until a test ends them.
const LONG: &[&str] = &["100"];
const LONG_ONCE: &[&str] = &["100", "1"];
const LONG_TWICE: &[&str] = &["100", "2"];
/// A user without rights.
const NOBODY: u32 = 65_534;

/// What the command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    /// It did what it should.
    fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// It failed, with these words.
    fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {self:?}");
        }
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
    }
}

/// Runs the command, as another user if one is given.
fn jprof_as<W: AsRef<OsStr>>(user: Option<u32>, words: &[W]) -> Said {
    let mut jprof = Command::new(command());
    if let Some(uid) = user {
        jprof.uid(uid).gid(uid);
    }
    let output = jprof.args(words).stdin(Stdio::null()).output();
    let output = output.expect("the command starts");
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn jprof(words: &[&str]) -> Said {
    jprof_as(None, words)
}

fn attach_as(user: Option<u32>, pid: u32, library: &Path, options: &str) -> Said {
    let pid = pid.to_string();
    let library = library.to_str().expect("a path of letters");
    jprof_as(user, &["attach", &pid, options, "--library", library])
}

fn attach(pid: u32, options: &str) -> Said {
    attach_as(None, pid, &library(), options)
}

fn detach(pid: u32) -> Said {
    jprof(&["detach", &pid.to_string()])
}

/// How the agent does, by the command's word.
fn state(pid: u32) -> String {
    let status = jprof(&["status", &pid.to_string()]).done();
    let line = status.lines().find_map(|line| line.strip_prefix("jprof  "));
    let line = line.unwrap_or_else(|| panic!("no word of jprof: {status}"));
    line.split(',').next().unwrap_or_default().to_owned()
}

/// Options for a file and no upload.
fn to_file(file: &Path) -> String {
    format!("url=none,dialect=datakit,file={}", file.display())
}

/// A program that can be attached to as soon as this returns.
fn started(program: Program) -> Running {
    let mut running = program.start();
    running.wait_for("begin.cpu_nanos");
    running
}

/// Lets the program use CPU time for some samples: without any there is no recording.
fn let_work(pid: u32) {
    let used = || process_cpu_nanos(pid).expect("it lives");
    let enough = used() + 100_000_000;
    while used() < enough {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Nothing of an attach is in the folder.
fn check_nothing_left(folder: &Path, own_pid: u32) {
    let trigger = format!(".attach_pid{own_pid}");
    let names = fs::read_dir(folder).expect("a folder").flatten();
    let left: Vec<PathBuf> = names
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            *name == *trigger || name.starts_with(".libjprof-")
        })
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// Ends a program that runs, and checks that nobody but us has: SIGTERM makes a JVM exit by itself. Nobody printed
/// anything but the program, the agent and the JVM's own notice of a load.
fn end(running: Running) {
    running.signal(Signal::Term);
    check_ended(running.finish());
}

fn check_ended(run: Run) -> Run {
    let run = run.expect_code(128 + 15);
    check_printed_nothing(&run);
    run
}

/// [`end`] of a JVM with `-Xrs`, which leaves SIGTERM to the kernel.
fn end_without_handler(running: Running) {
    running.signal(Signal::Term);
    let run = running.finish();
    assert_eq!(run.status.signal(), Some(15), "{run:?}");
    check_printed_nothing(&run);
}

fn check_printed_nothing(run: &Run) {
    let foreign = |line: &&str| !line.starts_with("truth ");
    let printed: Vec<&str> = run.stdout.lines().filter(foreign).collect();
    assert_eq!(printed, Vec::<&str>::new(), "standard output");
    let errors = run.other_lines();
    let notice = |line: &&str| line.starts_with("WARNING: ");
    assert!(errors.iter().all(notice), "{errors:?}");
}

#[test]
fn a_jvm_that_runs_is_profiled_until_it_is_detached() {
    on_jdks("attach", ALL, |jdk| {
        let folder = folder();
        let file = folder.path().join("attached.jfr");
        let running = started(Program::new(jdk, "BusyThreads", LONG_TWICE));
        let pid = running.pid();
        let (file, options) = (&file, to_file(&file));
        // The program's CPU clock is noted all the while.
        let run = thread::scope(|scope| {
            let script = scope.spawn(move || {
                assert_eq!(state(pid), "not loaded");
                detach(pid).refused(&["there is nothing to detach"]);
                attach(pid, &options).done();
                assert_eq!(state(pid), "recording");
                attach(pid, "interval=1ms").refused(&["is in the JVM", "already"]);
                assert_eq!(state(pid), "recording");
                thread::sleep(Duration::from_millis(1200));
                detach(pid).done();
                assert_eq!(state(pid), "loaded");
                let sealed = fs::read(file).expect("a recording");
                attach(pid, &options).refused(&["already", "until the JVM is started anew"]);
                detach(pid).done();
                send(pid, Signal::Term);
                sealed
            });
            let run = running.finish();
            let sealed = script.join().expect("each step is as it should be");
            assert!(
                sealed == fs::read(file).expect("a recording"),
                "sealed once"
            );
            run
        });
        let run = check_ended(run);
        check_nothing_left(Path::new("/tmp"), pid);
        let measured = Measured {
            run,
            profile: Profile::of_file(file),
        };
        let work = measured.profile.weight(|sample| {
            sample.thread.starts_with("busy-") && sample.stack.has("BusyThreads.work")
        });
        assert!(work > 0, "no sample of the program's threads");
        if measured.knows_cpu_time() {
            measured.check_sum();
        } else {
            skip("attach: the sum of the samples: the machine is too busy with other work");
        }
    });
}

#[test]
fn the_list_shows_jvms_and_what_jprof_does_in_them() {
    on_jdks_at_once("list", ALL, |jdk| {
        let folder = folder();
        let running = started(Program::new(jdk, "Idle", LONG));
        let pid = running.pid();
        let row = || {
            let list = jprof(&["list"]).done();
            let rows = list.lines().map(|line| line.split_whitespace());
            let rows = rows.map(|fields| fields.map(str::to_owned).collect::<Vec<_>>());
            let mut rows = rows.filter(|row| row.first() == Some(&pid.to_string()));
            rows.next().unwrap_or_else(|| panic!("not listed: {list}"))
        };
        let before = row();
        let version = match jdk.version {
            8 => "1.8".to_owned(),
            version => version.to_string(),
        };
        assert!(before[2].starts_with(&version), "{before:?}");
        assert_eq!(before[3..], ["-", "Idle"]);
        attach(pid, &to_file(&folder.path().join("x.jfr"))).done();
        assert_eq!(row()[3], "recording");
        detach(pid).done();
        assert_eq!(row()[3], "loaded");
        let json = jprof(&["list", "--json"]).done();
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let jvms = json.as_array().expect("an array");
        let jvm = jvms.iter().find(|jvm| jvm["pid"] == pid);
        let jvm = jvm.unwrap_or_else(|| panic!("not listed: {json}"));
        assert_eq!(jvm["name"], "Idle");
        assert_eq!(jvm["jprof"]["recording"], false);
    });
}

/// A process that is no JVM and would die of SIGQUIT.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Sleeper {
        let mut sleep = Command::new("sleep");
        Sleeper(sleep.arg("120").spawn().expect("sleep starts"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_no_jvm_is_left_alone() {
    let mut sleeper = Sleeper::start();
    let pid = sleeper.0.id();
    attach(pid, "").refused(&[&pid.to_string(), "(sleep) is no HotSpot JVM"]);
    detach(pid).refused(&["is no HotSpot JVM"]);
    jprof(&["status", &pid.to_string()]).refused(&["is no HotSpot JVM"]);
    assert_eq!(sleeper.0.try_wait().expect("a child"), None);
    drop(sleeper);
    attach(pid, "").refused(&["there is no process", "jprof list"]);
    // Words that are no process id are wrong words, not a failure.
    for word in ["0", "java", "-1", "4294967296"] {
        assert_eq!(jprof(&["attach", word]).code, Some(2), "{word}");
    }
}

#[test]
fn options_that_the_protocol_cannot_carry_are_told() {
    on_jdks_at_once("long options", &[17], |jdk| {
        let running = started(Program::new(jdk, "Idle", LONG));
        let tags = format!("tags={}", "x:y;".repeat(300));
        attach(running.pid(), &tags).refused(&["1205 bytes", "1024 at most"]);
        assert_eq!(state(running.pid()), "not loaded");
        // As long as can be.
        let file = folder();
        let options = to_file(&file.path().join("x.jfr"));
        let padding = 1024 - options.len() - ",service=".len();
        let options = format!("{options},service={}", "s".repeat(padding));
        attach(running.pid(), &options).done();
    });
}

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
    // Which copy is in there is known, though it has no name any more.
    attach_as(None, pid, &copy, "").refused(&["already", ".libjprof-"]);
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
