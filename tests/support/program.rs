use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::confine::Confinement;
use super::rights::{self, SystemCall};
use super::system::{self, Signal, process_cpu_nanos};
use super::{Jdk, command, library, root};

/// Most programs are asked to run for seconds; a machine that is busy elsewhere takes longer. What takes longer than
/// this hangs.
const LONGEST_RUN: Duration = Duration::from_secs(120);
/// How often a running program is looked at. Its CPU clock is noted each time.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The class path of the harness programs, which are compiled once.
fn class_path() -> &'static PathBuf {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let mut compile = Command::new(root().join("java-harness/compile.sh"));
        // Any JDK compiles for all of them; 17 is the script's own first choice.
        let compiler = [17, 11, 21, 25, 8].into_iter().find_map(Jdk::find);
        if let Some(jdk) = compiler {
            compile.env("JAVA_HOME", jdk.home());
        }
        let output = compile.output().expect("compile.sh runs");
        assert!(
            output.status.success(),
            "compile.sh: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// A harness program that is about to run. It inherits no environment but the path.
#[derive(Debug)]
pub(crate) struct Program {
    java: PathBuf,
    jvm_arguments: Vec<OsString>,
    class: String,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    user: Option<u32>,
    starter: Vec<String>,
    confinement: Confinement,
    has_profiling_timer: bool,
    longest: Duration,
    /// Options of an agent that is attached as soon as the program has begun.
    attached: Vec<String>,
}

impl Program {
    /// The program `io.jprof.harness.CLASS` with its arguments.
    pub(crate) fn new(jdk: &Jdk, class: &str, arguments: &[&str]) -> Program {
        Program {
            java: jdk.tool("java"),
            jvm_arguments: Vec::new(),
            class: class.to_owned(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            environment: Vec::new(),
            user: None,
            starter: Vec::new(),
            confinement: Confinement::default(),
            has_profiling_timer: false,
            longest: LONGEST_RUN,
            attached: Vec::new(),
        }
    }

    /// Under the agent with these options.
    pub(crate) fn agent(self, options: &str) -> Program {
        let argument = agent_argument(options);
        self.jvm(argument)
    }

    /// Under the agent with these options, which is attached once the program has begun.
    pub(crate) fn attached(mut self, options: &str) -> Program {
        self.attached.push(options.to_owned());
        self
    }

    /// With an argument for the JVM.
    pub(crate) fn jvm(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.jvm_arguments.push(argument.as_ref().to_owned());
        self
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        let value = value.as_ref().to_owned();
        self.environment.push((name.to_owned(), value));
        self
    }

    /// As another user, without rights of root's.
    pub(crate) fn user(mut self, uid: u32) -> Program {
        self.user = Some(uid);
        self
    }

    /// By way of another program, which is given the JVM's command line as its last arguments.
    pub(crate) fn by(mut self, starter: &[&str]) -> Program {
        self.starter = starter.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// With less than others have.
    pub(crate) fn confined(mut self, confinement: Confinement) -> Program {
        self.confinement = confinement;
        self
    }

    /// Without these system calls.
    pub(crate) fn refused(self, calls: &[SystemCall]) -> Program {
        let none = Confinement::default();
        let confinement = calls.iter().fold(none, |confinement, call| {
            confinement.refuse(call.number(), libc::EPERM)
        });
        self.confined(confinement)
    }

    /// With the process's profiling timer (ITIMER_PROF) set.
    pub(crate) fn with_profiling_timer(mut self) -> Program {
        self.has_profiling_timer = true;
        self
    }

    /// Hung only when it runs longer than this.
    pub(crate) fn longest(mut self, longest: Duration) -> Program {
        self.longest = longest;
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let mut command = match self.starter.split_first() {
            None => Command::new(&self.java),
            Some((starter, arguments)) => {
                let mut command = Command::new(starter);
                command.args(arguments).arg(&self.java);
                command
            }
        };
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.environment)
            .args(&self.jvm_arguments)
            .arg("-cp")
            .arg(class_path())
            .arg(format!("io.jprof.harness.{}", self.class))
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        self.confinement.apply(&mut command);
        if self.has_profiling_timer {
            rights::set_profiling_timer(&mut command);
        }
        let mut child = command.spawn().expect("java starts");
        let stdout = Lines::follow(child.stdout.take().expect("a pipe"));
        let stderr = Lines::follow(child.stderr.take().expect("a pipe"));
        let mut running = Running {
            what: format!("{command:?}"),
            child,
            stdout,
            stderr,
            began: Instant::now(),
            longest: self.longest,
            cpu: Vec::new(),
        };
        for options in self.attached {
            running.wait_for("begin.cpu_nanos");
            let pid = running.pid();
            let attaching = thread::spawn(move || attach(pid, &options));
            // The program's clock is noted all the while.
            while !attaching.is_finished() && running.look().is_none() {}
            attaching.join().expect("it is attached to");
        }
        running
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Run {
        self.start().finish()
    }
}

fn attach(pid: u32, options: &str) {
    let mut jprof = Command::new(command());
    jprof.args(["attach", &pid.to_string(), options, "--library"]);
    let output = jprof.arg(library()).output().expect("the command starts");
    assert!(output.status.success(), "{jprof:?}: {output:?}");
}

/// The JVM's argument for the agent with these options.
pub(crate) fn agent_argument(options: &str) -> String {
    format!("-agentpath:{}={options}", library().display())
}

/// What comes out of a pipe.
struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn follow(mut pipe: impl Read + Send + 'static) -> Lines {
        let text: Arc<Mutex<String>> = Arc::default();
        let shared = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end of the pipe, as zero bytes are.
            while let Ok(bytes @ 1..) = pipe.read(&mut buffer) {
                let read = String::from_utf8_lossy(&buffer[..bytes]);
                lock(&shared).push_str(&read);
            }
        });
        Lines {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        lock(&self.text).clone()
    }

    fn read_to_end(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.so_far()
    }
}

fn lock(text: &Mutex<String>) -> std::sync::MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that runs. It is killed when the test gives up on it.
pub(crate) struct Running {
    what: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    began: Instant,
    longest: Duration,
    /// Wall clock and CPU clock, in nanoseconds.
    cpu: Vec<(u64, u64)>,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        system::send(self.pid(), signal);
    }

    /// Waits until `text` is printed.
    pub(crate) fn wait_for(&mut self, text: &str) -> Instant {
        loop {
            if self.stdout.so_far().contains(text) {
                return Instant::now();
            }
            let status = self.look();
            assert!(
                status.is_none(),
                "{} ended ({status:?}) before it printed {text:?}: {}{}",
                self.what,
                self.stdout.so_far(),
                self.stderr.so_far(),
            );
        }
    }

    /// Calls `body` now and then until the program ends.
    pub(crate) fn finish_watched(mut self, mut body: impl FnMut(u32)) -> Run {
        let status = loop {
            if let Some(status) = self.look() {
                break status;
            }
            body(self.pid());
        };
        let ended = Instant::now();
        let stdout = self.stdout.read_to_end();
        Run {
            what: std::mem::take(&mut self.what),
            status,
            ended,
            truths: truths(&stdout),
            stdout,
            stderr: self.stderr.read_to_end(),
            cpu: std::mem::take(&mut self.cpu),
        }
    }

    /// Waits until it ends.
    pub(crate) fn finish(self) -> Run {
        self.finish_watched(|_| {})
    }

    /// Pauses, looks at the clocks and whether the program has ended.
    fn look(&mut self) -> Option<ExitStatus> {
        thread::sleep(LOOK_EVERY);
        if self.began.elapsed() > self.longest {
            // What it holds shows where it hangs; it ends with this panic's kill.
            self.kill();
            panic!(
                "{} runs longer than {:?}: {}{}",
                self.what,
                self.longest,
                self.stdout.so_far(),
                self.stderr.so_far()
            );
        }
        if let Some(cpu) = process_cpu_nanos(self.pid()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.expect("after 1970").as_nanos();
            self.cpu
                .push((u64::try_from(now).expect("before 2554"), cpu));
        }
        self.child.try_wait().expect("a child")
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has run.
#[derive(Debug)]
pub(crate) struct Run {
    what: String,
    pub(crate) status: ExitStatus,
    pub(crate) ended: Instant,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    truths: HashMap<String, String>,
    cpu: Vec<(u64, u64)>,
}

fn truths(stdout: &str) -> HashMap<String, String> {
    let lines = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("truth "));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

impl Run {
    /// It ended as programs should that did all they had to do.
    pub(crate) fn expect_success(self) -> Run {
        self.expect_code(0)
    }

    /// It ended with this status.
    pub(crate) fn expect_code(self, code: i32) -> Run {
        assert_eq!(
            self.status.code(),
            Some(code),
            "{} ended with {}: {}{}",
            self.what,
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// A number that the program printed as `truth KEY=`.
    pub(crate) fn truth(&self, key: &str) -> u64 {
        let text = self.truths.get(key);
        let text = text.unwrap_or_else(|| panic!("no truth {key}: {}{}", self.stdout, self.stderr));
        text.parse()
            .unwrap_or_else(|_| panic!("truth {key} is no number: {text}"))
    }

    /// The keys of `truth PREFIX…SUFFIX=` without prefix and suffix, and the numbers.
    pub(crate) fn truths_like(&self, prefix: &str, suffix: &str) -> Vec<(String, u64)> {
        let name = |key: &str| {
            let name = key.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some(name.to_owned())
        };
        self.truths
            .keys()
            .filter_map(|key| Some((name(key)?, self.truth(key))))
            .collect()
    }

    /// What the agent said.
    pub(crate) fn agent_lines(&self) -> Vec<&str> {
        let lines = self.stderr.lines();
        lines.filter(|line| line.starts_with("[jprof]")).collect()
    }

    /// What stands on standard error besides the agent's lines and the JVM's word on picked-up options.
    pub(crate) fn other_lines(&self) -> Vec<&str> {
        let ours = |line: &&str| line.starts_with("[jprof]") || line.contains("Picked up ");
        self.stderr.lines().filter(|line| !ours(line)).collect()
    }

    /// The least and the most CPU time, in nanoseconds, that the process can have used between two points of time in
    /// nanoseconds since 1970.
    pub(crate) fn cpu_between(&self, start: u64, end: u64) -> (u64, u64) {
        let (start, end) = (self.cpu_at(start), self.cpu_at(end));
        (end.0.saturating_sub(start.1), end.1.saturating_sub(start.0))
    }

    /// The clock's values at the looks before and after that point of time.
    fn cpu_at(&self, unix_nanos: u64) -> (u64, u64) {
        let after = self.cpu.partition_point(|&(time, _)| time < unix_nanos);
        let before = after.checked_sub(1).map_or(0, |index| self.cpu[index].1);
        let last = self.cpu.last().expect("it was looked at").1;
        (before, self.cpu.get(after).map_or(last, |&(_, cpu)| cpu))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
