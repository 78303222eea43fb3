//! `jprof attach` and its like, at JVMs in every state: it loads the agent or says why not, and harms nobody.

mod again;
mod pause;
mod reach;
mod states;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::accuracy::Measured;
use crate::support::{
    ALL, Profile, Program, Run, Running, Signal, command, folder, library, on_jdks,
    on_jdks_at_once, process_cpu_nanos, send, skip,
};

/// Programs run until a test ends them.
const LONG: &[&str] = &["100"];
const LONG_ONCE: &[&str] = &["100", "1"];
const LONG_TWICE: &[&str] = &["100", "2"];
/// A user without rights.
const NOBODY: u32 = 65_534;

/// What the command said.
#[derive(Debug)]
pub(crate) struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    /// It did what it should.
    pub(crate) fn done(self) -> String {
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

pub(crate) fn attach(pid: u32, options: &str) -> Said {
    attach_as(None, pid, &library(), options)
}

pub(crate) fn detach(pid: u32) -> Said {
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
                thread::sleep(Duration::from_millis(1200));
                detach(pid).done();
                assert_eq!(state(pid), "loaded");
                let sealed = fs::read(file).expect("a recording");
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
        end(running);
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
        end(running);
    });
}
