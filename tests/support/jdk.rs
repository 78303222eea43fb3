use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::{at_once, root, skip};

/// Every version that the tests know.
pub(crate) const ALL: &[u32] = &[8, 11, 17, 21, 25];
/// Where what is tested hardly differs between versions.
pub(crate) const OLD_AND_USUAL: &[u32] = &[8, 17];

/// One test at a time: they measure CPU shares.
static TURN: Mutex<()> = Mutex::new(());

/// A JDK.
#[derive(Clone, Debug)]
pub(crate) struct Jdk {
    pub(crate) version: u32,
    home: PathBuf,
}

impl Jdk {
    /// The JDK of that version, where it is installed: in `$JPROF_JDKS`, else in `jdks/`.
    pub(crate) fn find(version: u32) -> Option<Jdk> {
        let folder = std::env::var_os("JPROF_JDKS");
        let folder = folder.map_or_else(|| root().join("jdks"), PathBuf::from);
        let home = folder.join(format!("jdk{version}"));
        home.join("bin/java")
            .is_file()
            .then_some(Jdk { version, home })
    }

    pub(crate) fn home(&self) -> &PathBuf {
        &self.home
    }

    /// Whether a JVM starts with these arguments.
    pub(crate) fn takes(&self, arguments: &[&str]) -> bool {
        let mut java = Command::new(self.tool("java"));
        java.args(arguments)
            .arg("-version")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        java.status().expect("java starts").success()
    }

    /// A tool of the JDK.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }
}

/// Runs `body` on each of the versions; one that fails does not keep it from the next. A version that is not
/// installed is a counted skip.
pub(crate) fn on_jdks(test: &str, versions: &[u32], body: impl Fn(&Jdk)) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = Vec::new();
    for jdk in installed(test, versions) {
        eprintln!("-- {test} on JDK {}", jdk.version);
        if catch_unwind(AssertUnwindSafe(|| body(&jdk))).is_err() {
            failed.push(jdk.version);
        }
    }
    assert!(
        failed.is_empty(),
        "{test} fails on JDK {failed:?}: see above"
    );
}

/// [`on_jdks`] with all versions at the same time, for programs that mostly wait.
pub(crate) fn on_jdks_at_once(test: &str, versions: &[u32], body: impl Fn(&Jdk) + Sync) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("-- {test} on JDK {versions:?}");
    let jdks: Vec<Jdk> = installed(test, versions).collect();
    at_once(&jdks, body);
}

/// What hardly differs from one JDK to the next is tried on each as well: `make soak` sets `$JPROF_EVERY_JDK`.
pub(crate) fn every_jdk() -> bool {
    std::env::var_os("JPROF_EVERY_JDK").is_some()
}

fn installed(test: &str, versions: &[u32]) -> impl Iterator<Item = Jdk> {
    let versions = if every_jdk() && versions == OLD_AND_USUAL {
        ALL
    } else {
        versions
    };
    versions.iter().filter_map(move |&version| {
        let jdk = Jdk::find(version);
        if jdk.is_none() {
            skip(&format!(
                "{test} on JDK {version}: the JDK is not there (make jdks)"
            ));
        }
        jdk
    })
}
