//! What the tests stand on that load a library of `examples/` into real JVMs.
//!
//! The JDKs are `jdk8` … `jdk25` in the folder `$JPROF_JDKS`, else in `jdks/` at the workspace's root (`make jdks`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// Every version that the tests know.
pub(crate) const JDKS: &[u32] = &[8, 11, 17, 21, 25];

/// Where a JDK is, or should be.
pub(crate) fn home(version: u32) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let folder = std::env::var_os("JPROF_JDKS").map_or_else(|| root.join("jdks"), PathBuf::from);
    folder.join(format!("jdk{version}"))
}

/// Whether the JDK is not there, which is printed: its tests count as ignored.
pub(crate) fn is_missing(version: u32) -> bool {
    let home = home(version);
    let missing = !home.join("bin/javac").exists();
    if missing {
        eprintln!(
            "ignored: JDK {version}: no {} (make jdks, or set JPROF_JDKS)",
            home.display()
        );
    }
    missing
}

/// `java` of a JDK, with no options from the environment.
pub(crate) fn java(home: &Path) -> Command {
    let mut java = Command::new(home.join("bin/java"));
    java.env("LC_ALL", "C.UTF-8")
        .env_remove("JAVA_TOOL_OPTIONS")
        .env_remove("JDK_JAVA_OPTIONS")
        .env_remove("_JAVA_OPTIONS");
    java
}

/// Runs a command and gives its standard output; what it printed is the error when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}\n{errors}", output.status))
}

/// Builds the library of an example. `cargo test --test …` does not build examples, so they are built beside the test.
pub(crate) fn build_probe(name: &str) -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = test
        .ancestors()
        .nth(2)
        .ok_or("a test lies in a folder of its profile")?;
    let target = profile
        .parent()
        .ok_or("a profile lies in the target folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", name, "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    output(&mut cargo)?;
    Ok(profile.join(format!("examples/lib{name}.so")))
}

/// Compiles all Java files of `tests/FOLDER` with the JDK's own compiler, since each makes other classes of the same source.
pub(crate) fn compile(home: &Path, folder: &str) -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let jdk = home.file_name().ok_or("a JDK has a name")?;
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(folder)
        .join(jdk);
    std::fs::create_dir_all(&classes).map_err(|error| error.to_string())?;
    let mut javac = Command::new(home.join("bin/javac"));
    // Names of classes need not be ASCII.
    javac
        .env("LC_ALL", "C.UTF-8")
        .args(["-g", "-nowarn", "-d"])
        .arg(&classes);
    for source in std::fs::read_dir(sources).map_err(|error| error.to_string())? {
        javac.arg(source.map_err(|error| error.to_string())?.path());
    }
    output(&mut javac)?;
    Ok(classes)
}
