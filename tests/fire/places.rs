//! Places that are not there or cannot be written to: /proc, the temporary folder, the spool.

use std::process::Command;

use super::{beside, bystander, check_says};
use crate::accuracy::Measured;
use crate::support::{
    OLD_AND_USUAL, Profile, Program, closed_port, folder, is_root, on_jdks, skip,
};

/// Runs a program in a mount namespace of its own, after `script` has changed it, which may use the folders that the program
/// needs as `$1` and so on.
fn changed(program: Program, script: &str, folders: &[&str]) -> Program {
    let count = folders.len();
    let script = format!("{script}\nshift {count} && exec \"$@\"");
    let mut words = vec!["unshare", "--mount", "sh", "-c", &script, "sh"];
    words.extend(folders);
    program.by(&words)
}

/// Whether the tests may change mounts.
fn may_mount(test: &str) -> bool {
    let probe = Command::new("unshare").args(["--mount", "true"]).output();
    let may = is_root() && probe.is_ok_and(|output| output.status.success());
    if !may {
        skip(&format!("{test}: namespaces are refused here"));
    }
    may
}

#[test]
fn without_proc_the_application_does_not_mind() {
    let test = "no /proc";
    if !may_mount(test) {
        return;
    }
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        // Without /proc the loader does not find the launcher's library by itself.
        let libraries = ["lib", "lib/jli", "lib/amd64/jli", "jre/lib/amd64/jli"];
        let libraries = libraries.map(|place| jdk.home().join(place).display().to_string());
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            file.display()
        );
        let script = "mount -t tmpfs -o ro tmpfs /proc || exit";
        let program = || {
            let program = bystander(jdk).env("LD_LIBRARY_PATH", libraries.join(":"));
            changed(program, script, &[])
        };
        let (_, with) = beside(program, |program| program.agent(&options).run());
        check_says(&with, &["/proc"]);
        let profile = Profile::of_file(&file);
        let measured = Measured { run: with, profile };
        measured.check_sum();
        super::check_share_of_major(&measured.profile);
    });
}

/// Everything is read-only but a folder.
const READ_ONLY: &str = r#"
    mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit
    for place in /tmp /var/tmp /dev/shm; do
        mountpoint -q $place && { mount -o remount,bind,ro $place || exit; }
    done
"#;

#[test]
fn where_nothing_can_be_written_one_line_says_that_nothing_is_kept() {
    let test = "a read-only file system";
    if !may_mount(test) {
        return;
    }
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let writable = folder();
        let writable = writable.path().to_str().expect("letters");
        let program = || changed(bystander(jdk), READ_ONLY, &[writable]);
        let upload = format!("url=http://{},period=1s,interval=1ms", closed_port());
        let (plain, with) = beside(program, |program| program.agent(&upload).run());
        check_says(&with, &["no upload", "/tmp", "Read-only file system"]);
        let file = "url=none,interval=1ms,period=1s,file=/tmp/never/all.jfr";
        let with = program().agent(file).run();
        super::check_alike(&plain, &with);
        check_says(&with, &["/tmp/never/all.jfr", "Read-only file system"]);
        // Where there is a place for the spool, that is enough.
        let options = format!("{upload},spool={writable}/spool");
        let with = program().agent(&options).run();
        super::check_alike(&plain, &with);
        check_says(&with, &["Connection refused"]);
    });
}
