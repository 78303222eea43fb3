//! However the JVM ends, what was sampled is delivered, and nothing that is torn.

use std::path::Path;

use crate::support::{
    DataKit, Jdk, OLD_AND_USUAL, Profile, Program, Run, Sent, Signal, folder, on_jdks,
};

/// The options of an upload to `datakit` by way of a spool.
pub(crate) fn upload(datakit: &DataKit, spool: &Path, more: &str) -> String {
    format!("url={},spool={},{more}", datakit.url(), spool.display())
}

/// All uploads are of the run's process, consecutive ones touch, and together they hold what the program used. They
/// come back as one profile.
pub(crate) fn check_delivery(run: &Run, uploads: &[Sent]) -> Profile {
    assert!(
        !uploads.is_empty(),
        "nothing came: {}{}",
        run.stdout,
        run.stderr
    );
    let pid = run.truth("pid").to_string();
    for upload in uploads {
        assert_eq!(upload.tag("process_id"), Some(pid.as_str()));
    }
    check_touching(uploads);
    let profile = Profile::of_files(uploads.iter().map(Sent::path));
    // Of the program's own time, the kernel's rounding to 10 ms and the account's to an interval may be missing.
    let (used, claimed) = (run.truth("run.cpu_nanos"), profile.cpu_nanos(|_| true));
    assert!(
        claimed + 30_000_000 >= used,
        "samples for {claimed} ns came, {used} ns were used"
    );
    profile
}

/// One upload's end is the next one's start, as text.
pub(crate) fn check_touching(uploads: &[Sent]) {
    for pair in uploads.windows(2) {
        assert_eq!(pair[0].tag("end"), pair[1].tag("start"), "{pair:?}");
    }
}

fn spooled(spool: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let folders = std::fs::read_dir(spool).expect("a spool").flatten();
    for entry in folders.filter(|entry| entry.path().is_dir()) {
        let files = std::fs::read_dir(entry.path()).expect("a folder").flatten();
        names.extend(files.map(|file| file.file_name().to_string_lossy().into_owned()));
    }
    names
}

fn ending(jdk: &Jdk, kind: &str, code: i32) {
    eprintln!("{kind}");
    let (datakit, spool) = (DataKit::start(), folder());
    let spool = spool.path().join("spool");
    let run = Program::new(jdk, "ExitKinds", &["1", kind])
        .agent(&upload(&datakit, &spool, ""))
        .run()
        .expect_code(code);
    assert_eq!(
        run.stdout.contains("hook=ran"),
        kind != "halt",
        "{}",
        run.stdout
    );
    check_delivery(&run, &datakit.uploads());
    assert_eq!(spooled(&spool), Vec::<String>::new());
}

#[test]
fn the_last_chunk_is_delivered_however_the_program_ends() {
    on_jdks("ends of a program", OLD_AND_USUAL, |jdk| {
        for (kind, code) in [
            ("return", 0),
            ("daemon", 0),
            ("exit", 3),
            ("halt", 4),
            ("uncaught", 1),
        ] {
            ending(jdk, kind, code);
        }
    });
}

#[test]
fn the_last_chunk_is_delivered_when_the_jvm_is_told_to_end() {
    on_jdks("SIGTERM", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let spool = spool.path().join("spool");
        let mut running = Program::new(jdk, "ExitKinds", &["1", "wait"])
            .agent(&upload(&datakit, &spool, ""))
            .start();
        running.wait_for("waiting=true");
        running.signal(Signal::Term);
        let run = running.finish().expect_code(128 + 15);
        assert!(run.stdout.contains("hook=ran"), "{}", run.stdout);
        check_delivery(&run, &datakit.uploads());
    });
}

#[test]
fn a_jvm_that_is_killed_leaves_nothing_torn_that_is_sent() {
    on_jdks("SIGKILL", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let spool = spool.path().join("spool");
        let options = upload(&datakit, &spool, "period=1s,interval=1ms");
        let mut running = Program::new(jdk, "ExitKinds", &["2.6", "wait"])
            .agent(&options)
            .start();
        running.wait_for("waiting=true");
        running.signal(Signal::Kill);
        let killed = running.finish();
        assert_eq!(killed.status.code(), None, "{}", killed.status);
        let torn = spooled(&spool);
        assert!(torn.iter().any(|name| name.ends_with(".part")), "{torn:?}");

        let next = Program::new(jdk, "ExitKinds", &["0.5"])
            .agent(&options)
            .run()
            .expect_success();
        let uploads = datakit.uploads();
        let (first, second): (Vec<Sent>, Vec<Sent>) = uploads.into_iter().partition(|upload| {
            upload.tag("process_id") == Some(killed.truth("pid").to_string().as_str())
        });
        assert!(first.len() >= 2, "{} uploads of two seconds", first.len());
        check_touching(&first);
        // Each of them is whole: the profile is read strictly.
        Profile::of_files(first.iter().map(Sent::path));
        check_delivery(&next, &second);
        assert_eq!(spooled(&spool), Vec::<String>::new());
    });
}
