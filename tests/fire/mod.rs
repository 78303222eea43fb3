//! Without rights and among others: whatever the system refuses and whoever else is in the JVM, the application does what it
//! does without the agent, byte for byte, and one line says what jprof does instead.

mod neighbours;
mod places;
mod profilers;
mod rights;
mod samplers;
mod waits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::accuracy::Measured;
use crate::support::{Jdk, Profile, Program, Run, at_once, folder, root};

/// A user without rights, whom no other test makes use of: some limits count all processes of a user.
const STRANGER: u32 = 61_234;

/// A program that has run under the agent and did what it does without.
struct Alike {
    run: Run,
    /// All that was recorded.
    profile: Option<Profile>,
}

/// Runs a program under the agent, with a recording: it prints and returns what `plain` did.
fn recorded(program: Program, options: &str, plain: &Run) -> Alike {
    let folder = folder();
    let file = folder.path().join("all.jfr");
    let options = format!("url=none,dialect=datakit,{options},file={}", file.display());
    let run = program.agent(&options).run();
    check_alike(plain, &run);
    Alike {
        run,
        profile: file.is_file().then(|| Profile::of_file(&file)),
    }
}

/// Runs a program without the agent and with it, at the same time.
fn beside(program: impl Fn() -> Program + Sync, run: impl Fn(Program) -> Run + Sync) -> (Run, Run) {
    let runs: [OnceLock<Run>; 2] = Default::default();
    at_once(&[false, true], |&agent| {
        let done = if agent {
            run(program())
        } else {
            program().run()
        };
        runs[usize::from(agent)]
            .set(done)
            .expect("one run of each kind");
    });
    let [plain, with] = runs.map(|run| run.into_inner().expect("it ran"));
    let plain = plain.expect_code(3);
    check_alike(&plain, &with);
    (plain, with)
}

/// Standard output and exit status are the same to the byte, and so is standard error but for the agent's lines.
fn check_alike(plain: &Run, with: &Run) {
    assert_eq!(
        with.stdout, plain.stdout,
        "standard output: {}",
        with.stderr
    );
    assert_eq!(with.status, plain.status, "{}", with.stderr);
    assert_eq!(with.other_lines(), plain.other_lines(), "standard error");
}

impl Alike {
    /// The agent's only line, with these words.
    fn says(self, words: &[&str]) -> Alike {
        check_says(&self.run, words);
        self
    }

    /// The agent has nothing to say.
    fn says_nothing(self) -> Alike {
        assert_eq!(self.run.agent_lines(), Vec::<&str>::new());
        self
    }

    /// The samples stand for the process's CPU time.
    fn measured(self) -> Measured {
        let stderr = &self.run.stderr;
        let profile = self
            .profile
            .unwrap_or_else(|| panic!("no recording: {stderr}"));
        let measured = Measured {
            run: self.run,
            profile,
        };
        measured.check_sum();
        measured
    }
}

fn check_says(run: &Run, words: &[&str]) {
    let lines = run.agent_lines();
    eprintln!("{}", lines.join("\n"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in words {
        assert!(lines[0].contains(word), "{word}: {lines:?}");
    }
}

/// The program `Bystander`, of a CPU second.
const BYSTANDER: &[&str] = &["25000", "2", "8"];
/// The same, of 300 threads.
const CROWD: &[&str] = &["450", "300", "8"];

fn bystander(jdk: &Jdk) -> Program {
    Program::new(jdk, "Bystander", BYSTANDER)
}

/// What `Bystander` does without the agent, which is the same each time.
fn plain_bystander(jdk: &Jdk, arguments: &[&str]) -> Arc<Run> {
    type Runs = Mutex<BTreeMap<(u32, Vec<String>), Arc<Run>>>;
    static RUNS: Runs = Mutex::new(BTreeMap::new());
    let key = (
        jdk.version,
        arguments.iter().map(|&word| word.to_owned()).collect(),
    );
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let run = runs.entry(key).or_insert_with(|| {
        let run = Program::new(jdk, "Bystander", arguments).run();
        Arc::new(run.expect_code(3))
    });
    Arc::clone(run)
}

/// Of the samples below `work` in `Bystander`, two thirds are below `major`, as is its work, but for what chance does in four of
/// 10,000 cases. Returns how many samples there are.
fn check_share_of_major(profile: &Profile) -> usize {
    const SHARE: f64 = 2.0 / 3.0;
    let below = |method: &str| {
        let samples = profile.samples.iter();
        samples
            .filter(|sample| sample.stack.has("Bystander.work") && sample.stack.has(method))
            .count()
    };
    let all = below("Bystander.work");
    let share = below("Bystander.major") as f64 / all as f64;
    eprintln!("{:.1} % of {all} samples are in major", share * 100.0);
    let by_chance = 3.5 * (SHARE * (1.0 - SHARE) / all as f64).sqrt();
    assert!((share - SHARE).abs() <= by_chance + 0.02, "{share}");
    all
}

/// The library `guest`. `cargo test --test …` builds no examples, so it is built here, beside the test.
fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let test = std::env::current_exe().expect("a path");
        let profile = test.ancestors().nth(2).expect("a folder of its profile");
        let target = profile.parent().expect("the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", "guest", "--manifest-path"]);
        cargo.arg(root().join("Cargo.toml"));
        cargo.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success());
        profile.join("examples/libguest.so")
    })
}
