//! Runs `hotspot_names/HotspotProbe.java` with `examples/hotspot_probe.rs` in real JVMs: what `jprof::hotspot` reads of methods, threads,
//! flags, counters and the JVM itself must be what the JVM says of them, and no stale or wild method id may do harm.
//!
//! The JDKs are `jdk8` … `jdk25` in the folder `$JPROF_JDKS`, else in `jdks/` at the workspace's root (`make jdks`). A run whose
//! JDK is not there counts as ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

/// One way to run the JVM.
struct Run {
    name: &'static str,
    /// The JDKs that it is for.
    jdks: &'static [u32],
    options: &'static [&'static str],
    /// What the probe is told of `-XX:DebugNonSafepoints`: whether the options have it.
    flag: &'static str,
}

const ALL: &[u32] = &[8, 11, 17, 21, 25];

const RUNS: &[Run] = &[
    Run {
        name: "g1",
        jdks: ALL,
        options: &["-XX:+UseG1GC"],
        flag: "default",
    },
    Run {
        name: "serial_interpreted_wide_class_pointers",
        jdks: ALL,
        options: &[
            "-XX:+UseSerialGC",
            "-Xint",
            "-XX:-UseCompressedClassPointers",
        ],
        flag: "default",
    },
    Run {
        name: "parallel_without_counters",
        jdks: ALL,
        options: &[
            "-XX:+UseParallelGC",
            "-XX:-UsePerfData",
            "-XX:-DebugNonSafepoints",
        ],
        flag: "chosen",
    },
    Run {
        name: "zgc",
        jdks: &[17, 21, 25],
        options: &["-XX:+UseZGC"],
        flag: "default",
    },
    Run {
        name: "compact_headers_without_archive",
        jdks: &[25],
        options: &["-XX:+UseCompactObjectHeaders", "-Xshare:off"],
        flag: "default",
    },
];

fn main() {
    let arguments = Arguments::from_args();
    let probe = Arc::new(OnceLock::new());
    let mut trials = Vec::new();
    for jdk in ALL {
        let home = jdks_folder().join(format!("jdk{jdk}"));
        let missing = !home.join("bin/javac").exists();
        let classes = Arc::new(OnceLock::new());
        for run in RUNS.iter().filter(|run| run.jdks.contains(jdk)) {
            let (home, probe, classes) = (home.clone(), Arc::clone(&probe), Arc::clone(&classes));
            let name = format!("jdk{jdk}::{}", run.name);
            let trial = Trial::test(name, move || {
                let probe = probe.get_or_init(build_probe).as_ref()?;
                let classes = classes.get_or_init(|| compile(&home)).as_ref()?;
                try_run(run, &home, classes, probe)
            });
            trials.push(trial.with_ignored_flag(missing));
        }
        if missing {
            eprintln!(
                "ignored: JDK {jdk}: no {} (make jdks, or set JPROF_JDKS)",
                home.display()
            );
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn jdks_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    std::env::var_os("JPROF_JDKS").map_or_else(|| root.join("jdks"), PathBuf::from)
}

/// Runs a command and gives its standard output; what it printed is the error when it fails.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let told: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("flag "))
        .collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}\n{}\n{errors}",
        output.status,
        told.join("\n")
    ))
}

/// `cargo test --test …` does not build examples, so they are built here, beside this test.
fn build_probe() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = test
        .ancestors()
        .nth(2)
        .ok_or("a test lies in a folder of its profile")?;
    let target = profile
        .parent()
        .ok_or("a profile lies in the target folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--example",
        "hotspot_probe",
        "--manifest-path",
    ]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    output(&mut cargo)?;
    Ok(profile.join("examples/libhotspot_probe.so"))
}

/// Compiles the Java side with the JDK's own compiler, since each makes other classes of the same source.
fn compile(home: &Path) -> Result<PathBuf, String> {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hotspot_names/HotspotProbe.java");
    let jdk = home.file_name().ok_or("a JDK has a name")?;
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hotspot_names")
        .join(jdk);
    std::fs::create_dir_all(&classes).map_err(|error| error.to_string())?;
    let mut javac = Command::new(home.join("bin/javac"));
    // The probe's class names are not ASCII.
    javac
        .env("LC_ALL", "C.UTF-8")
        .args(["-g", "-nowarn", "-d"])
        .arg(&classes)
        .arg(source);
    output(&mut javac)?;
    Ok(classes)
}

fn try_run(run: &Run, home: &Path, classes: &Path, probe: &Path) -> Result<(), Failed> {
    let mut java = Command::new(home.join("bin/java"));
    java.env("LC_ALL", "C.UTF-8")
        .env_remove("JAVA_TOOL_OPTIONS")
        .env_remove("JDK_JAVA_OPTIONS")
        .env_remove("_JAVA_OPTIONS");
    java.args([
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+UnlockExperimentalVMOptions",
        "-Xmx256m",
    ]);
    java.args(run.options).arg("-XX:+PrintFlagsFinal");
    java.arg("-cp")
        .arg(classes)
        .arg("HotspotProbe")
        .arg(probe)
        .arg(run.flag);
    let output = output(&mut java)?;
    if !output.ends_with("verdict: good\n") {
        return Err(format!("no verdict:\n{output}").into());
    }
    for line in output.lines().filter(|line| line.starts_with("methods ")) {
        println!("{line}");
    }
    compare_flags(&output)
}

/// Every flag that `-XX:+PrintFlagsFinal` has printed was read, with the same value.
fn compare_flags(output: &str) -> Result<(), Failed> {
    let read: BTreeMap<&str, &str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("flag ")?.split_once('='))
        .collect();
    let mut printed = 0;
    for (name, value) in output.lines().filter_map(printed_flag) {
        printed += 1;
        if read.get(name).map(|read| read.trim()) != Some(value) {
            return Err(format!("{name} is {value:?}, read {:?}", read.get(name)).into());
        }
    }
    if printed < 500 {
        return Err(format!("the JVM has printed {printed} flags only").into());
    }
    Ok(())
}

/// Name and value of a line such as `     intx CICompilerCount  := 2   {product}`.
fn printed_flag(line: &str) -> Option<(&str, &str)> {
    let (declaration, rest) = line.strip_prefix(' ')?.split_once('=')?;
    let mut words = declaration.trim_end_matches(':').split_whitespace();
    let (_type, name) = (words.next()?, words.next()?);
    let (value, _kind) = rest.split_once('{')?;
    words.next().is_none().then_some((name, value.trim()))
}
