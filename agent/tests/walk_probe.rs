//! Runs the Java programs of `walk_probe/` with `examples/walk_probe` in real JVMs.
//!
//! `judged…`: at known stopping points, the walker's stack is that of JVMTI's GetStackTrace, frame for frame: methods, and
//! bytecode indices. Neither hides frames: those of lambda forms and of other methods that are `@Hidden` are in both, with and
//! without `-XX:+ShowHiddenFrames`, which is for stack traces of exceptions. The walker goes on below a virtual thread's first
//! frame, with its carrier's.
//!
//! `hostile`: whatever the registers hold, a walk keeps to its room and comes back, and the JVM goes on: 200,000 sets, or
//! `$JPROF_WALKS` (`make soak`: ten million).
//!
//! A run whose JDK is not there counts as ignored.

mod support;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use support::{JDKS, build_probe, compile, home, is_missing, java, output};

/// Enough for code of both compilers.
const ROUNDS: &str = "6500";
/// Where nothing is compiled, or by one compiler only.
const FEW_ROUNDS: &str = "1000";
const WALKS: &str = "200000";

/// One way to run the JVM.
struct Run {
    name: &'static str,
    options: &'static [&'static str],
    rounds: &'static str,
    /// Frame types that must be there, and those that cannot.
    frames: &'static [&'static str],
    no_frames: &'static [&'static str],
}

const JUDGED: &[Run] = &[
    Run {
        name: "judged",
        options: &[],
        rounds: ROUNDS,
        frames: &["interpreted", "C1", "C2", "inlined", "native"],
        no_frames: &["of no type"],
    },
    Run {
        name: "judged_interpreted",
        options: &["-Xint"],
        rounds: FEW_ROUNDS,
        frames: &["interpreted", "native"],
        no_frames: &["of no type", "C1", "C2", "inlined"],
    },
    Run {
        name: "judged_c1_with_hidden_frames",
        options: &[
            "-XX:TieredStopAtLevel=1",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+ShowHiddenFrames",
        ],
        rounds: FEW_ROUNDS,
        frames: &["interpreted", "C1", "inlined", "native"],
        no_frames: &["of no type", "C2"],
    },
];

fn main() {
    let arguments = Arguments::from_args();
    let probe = Arc::new(OnceLock::new());
    let mut trials = Vec::new();
    for &jdk in JDKS {
        let missing = is_missing(jdk);
        let home = home(jdk);
        let classes = Arc::new(OnceLock::new());
        let mut add = |name: &str, body: fn(&Path, &Path, &Path, &'static Run) -> _, run| {
            let (home, probe, classes) = (home.clone(), Arc::clone(&probe), Arc::clone(&classes));
            let trial = Trial::test(format!("jdk{jdk}::{name}"), move || {
                let probe = probe.get_or_init(|| build_probe("walk_probe")).as_ref()?;
                let classes = classes
                    .get_or_init(|| compile(&home, "walk_probe"))
                    .as_ref()?;
                body(&home, classes, probe, run)
            });
            trials.push(trial.with_ignored_flag(missing));
        };
        for run in JUDGED {
            add(run.name, judge, run);
        }
        add("hostile", attack, &JUDGED[0]);
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn run(
    home: &Path,
    classes: &Path,
    options: &[&str],
    arguments: &[&str],
) -> Result<String, Failed> {
    let mut java = java(home);
    java.arg("-Xmx256m")
        .args(options)
        .arg("-cp")
        .arg(classes)
        .arg("WalkProbe")
        .args(arguments);
    let output = output(&mut java)?;
    if output.ends_with("verdict: good\n") {
        Ok(output)
    } else {
        Err(format!("no verdict:\n{output}").into())
    }
}

fn judge(home: &Path, classes: &Path, probe: &Path, how: &Run) -> Result<(), Failed> {
    let probe = probe.to_str().ok_or("a path in UTF-8")?;
    let output = run(home, classes, how.options, &[probe, "judge", how.rounds])?;
    let has = |frames: &str| {
        let mut judged = output.lines().filter(|line| line.starts_with("judged "));
        judged.any(|line| line.contains(&format!(" {frames}")))
    };
    for frames in how.frames {
        if !has(frames) {
            return Err(format!("no frames are {frames}:\n{output}").into());
        }
    }
    for frames in how.no_frames {
        if has(frames) {
            return Err(format!("frames are {frames}:\n{output}").into());
        }
    }
    Ok(())
}

fn attack(home: &Path, classes: &Path, probe: &Path, _: &Run) -> Result<(), Failed> {
    let probe = probe.to_str().ok_or("a path in UTF-8")?;
    let walks = std::env::var("JPROF_WALKS").unwrap_or_else(|_| WALKS.to_owned());
    let output = run(home, classes, &[], &[probe, "hostile", &walks, "1"])?;
    for line in output.lines().filter(|line| line.starts_with("hostile")) {
        println!("{line}");
    }
    Ok(())
}
