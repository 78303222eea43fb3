use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;
use std::time::SystemTime;

use super::*;

fn open(root: &Path) -> Spool {
    Spool::open(root, SpoolLimits::default()).unwrap()
}

fn commit(spool: &Spool, start_unix_nanos: u64, bytes: &[u8]) -> PathBuf {
    let (part, mut file) = spool.new_part().unwrap();
    file.write_all(bytes).unwrap();
    let meta = ProfileMetadata {
        start_unix_nanos,
        ..ProfileMetadata::default()
    };
    spool.commit(&part, &meta).unwrap()
}

/// Starts of the profiles in the order in which they would be sent.
fn order(spool: &Spool) -> Vec<u64> {
    std::iter::from_fn(|| {
        let claimed = spool.claim_oldest()?;
        spool.remove(&claimed);
        claimed.stem.split('-').next()?.parse().ok()
    })
    .collect()
}

/// Everything under the root, sorted.
fn tree(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

/// A folder as a dead process leaves it.
fn dead(root: &Path, name: &str, address: &str, files: &[&str]) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(root.join(format!("{name}.lock")), address).unwrap();
    for file in files {
        fs::write(folder.join(file), file).unwrap();
    }
    folder
}

#[test]
fn a_commit_is_whole_with_its_metadata_and_a_discard_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path());
    let (part, _file) = spool.new_part().unwrap();
    spool.discard(&part);
    assert!(!part.exists());

    let sealed = commit(&spool, 5, b"FLR");
    assert_eq!(fs::read(&sealed).unwrap(), b"FLR");
    let json = fs::read_to_string(sealed.with_extension("json")).unwrap();
    assert_eq!(
        ProfileMetadata::from_event_json(&json)
            .unwrap()
            .start_unix_nanos,
        5
    );
    assert_eq!(spool.waiting(), 1);
    let counters = spool.counters();
    assert_eq!(counters.get(UploadCounter::SpoolBytes), 3);
    assert_eq!(counters.get(UploadCounter::SpoolFiles), 1);

    assert_eq!(order(&spool), [5]);
    assert_eq!(counters.get(UploadCounter::SpoolBytes), 0);
    drop(spool);
    assert_eq!(tree(root.path()), [] as [PathBuf; 0]);
}

#[test]
fn everything_is_private() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("a/b");
    let spool = open(&root);
    commit(&spool, 1, b"x");
    let (_part, _file) = spool.new_part().unwrap();
    for path in [
        tree(&root),
        vec![root.clone(), root.parent().unwrap().to_owned()],
    ]
    .concat()
    {
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn a_root_that_others_control_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |root: &Path| {
        Spool::open(root, SpoolLimits::default())
            .unwrap_err()
            .to_string()
    };

    let target = dir.path().join("target");
    fs::create_dir(&target).unwrap();
    let link = dir.path().join("link");
    symlink(&target, &link).unwrap();
    assert!(refused(&link).ends_with("is no folder but a link or a file: name another one"));

    for mode in [0o770, 0o707, 0o777, 0o1777] {
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
        let text = format!("(mode {mode:o}): run chmod 700 on it, or name another folder");
        assert!(refused(&target).ends_with(&text), "{}", refused(&target));
    }
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
    open(&target);

    // Root may give a folder away; anybody else has one that is not theirs.
    let foreign = match own_uid().unwrap() {
        0 => {
            chown(&target, Some(65534), None).unwrap();
            target
        }
        _ => PathBuf::from("/"),
    };
    assert!(
        refused(&foreign).contains("belongs to user "),
        "{}",
        refused(&foreign)
    );
}

#[test]
fn only_its_own_parts_can_be_committed_and_only_once() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path());
    let other = open(root.path());
    let (part, _file) = other.new_part().unwrap();
    let meta = ProfileMetadata::default();
    assert!(matches!(
        spool.commit(&part, &meta),
        Err(SpoolError::UnknownPart(_))
    ));
    spool.discard(&part);
    assert!(part.exists());
    other.commit(&part, &meta).unwrap();
    assert!(matches!(
        other.commit(&part, &meta),
        Err(SpoolError::UnknownPart(_))
    ));
}

#[test]
fn the_bounds_drop_the_oldest_and_never_the_one_being_sent() {
    let root = tempfile::tempdir().unwrap();
    let limits = SpoolLimits {
        max_bytes: 1000,
        max_files: 3,
        max_age: Duration::from_secs(60),
    };
    let spool = Spool::open(root.path(), limits).unwrap();
    let counters = spool.counters();
    for start in 1..=4 {
        commit(&spool, start, &[0; 100]);
    }
    assert_eq!(counters.get(UploadCounter::DroppedFiles), 1);
    // Two, three and four are left; two is being sent.
    let claimed = spool.claim_oldest().unwrap();
    commit(&spool, 5, &[0; 800]);
    assert_eq!(counters.get(UploadCounter::DroppedBytes), 1);
    commit(&spool, 6, &[0; 150]);
    assert_eq!(counters.get(UploadCounter::DroppedBytes), 3);
    assert_eq!(counters.get(UploadCounter::SpoolBytes), 250);
    spool.release(&claimed);
    assert_eq!(spool.enforce_limits(Instant::now()), 0);
    // Two and six are left; a minute later, by the monotonic clock, nothing is.
    let later = Instant::now() + Duration::from_secs(61);
    assert_eq!(spool.enforce_limits(later), 2);
    assert_eq!(counters.get(UploadCounter::DroppedAge), 2);
    drop((spool, claimed));
    assert_eq!(tree(root.path()), [] as [PathBuf; 0]);
}

#[test]
fn what_a_dead_process_left_is_sent_first_and_what_it_tore_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let left = dead(
        root.path(),
        "1-a",
        "http://here/\ndemo\n",
        &[
            "00000003.part",
            "00000000000000000007-00000001.jfr",
            "00000000000000000007-00000001.json",
            // Killed while gzip ran; killed between gzip's rename and the removal; metadata alone; data alone.
            "00000000000000000008-00000002.jfr",
            "00000000000000000008-00000002.jfr.gz.part",
            "00000000000000000008-00000002.json",
            "00000000000000000009-00000003.jfr",
            "00000000000000000009-00000003.jfr.gz",
            "00000000000000000009-00000003.json",
            "00000000000000000010-00000004.json",
            "00000000000000000011-00000005.jfr",
        ],
    );
    dead(
        root.path(),
        "2-b",
        "",
        &[
            "00000000000000000006-00000001.jfr.gz",
            "00000000000000000006-00000001.json",
        ],
    );
    let spool = open(root.path());
    spool.set_address("http://here/".to_owned(), String::new());
    commit(&spool, 1, b"own");
    spool.take_over_the_dead();
    assert_eq!(tree(&left).len(), 6);
    assert_eq!(spool.counters().get(UploadCounter::DroppedUnreadable), 1);
    // A second process finds them taken.
    let other = open(root.path());
    other.take_over_the_dead();
    assert_eq!(other.waiting(), 0);
    assert_eq!(order(&spool), [6, 7, 8, 9, 1]);
    drop((spool, other));
    assert_eq!(tree(root.path()), [] as [PathBuf; 0]);
}

#[test]
fn what_was_meant_for_others_is_kept_for_them_until_it_is_too_old() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        "00000000000000000007-00000001.jfr",
        "00000000000000000007-00000001.json",
    ];
    let kept = dead(root.path(), "1-a", "http://there/\nshop\n", &files);
    let old = dead(root.path(), "1-b", "http://there/\nshop\n", &files);
    let long_ago = SystemTime::now() - Duration::from_secs(7 * 3600);
    File::open(old.join(files[0]))
        .unwrap()
        .set_modified(long_ago)
        .unwrap();

    let spool = open(root.path());
    spool.set_address("http://here/".to_owned(), "demo".to_owned());
    spool.take_over_the_dead();
    assert_eq!(spool.waiting(), 0);
    assert!(!old.exists());
    assert_eq!(tree(&kept).len(), 2);
    assert_eq!(spool.counters().get(UploadCounter::DroppedAge), 1);
    // The same service under its corrected address.
    spool.set_address("http://here/".to_owned(), "shop".to_owned());
    spool.take_over_the_dead();
    assert_eq!(order(&spool), [7]);
}

#[test]
fn a_folder_that_was_tidied_away_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("spool");
    let spool = open(&root);
    let lost = commit(&spool, 1, b"x");
    fs::remove_dir_all(&root).unwrap();
    let sealed = commit(&spool, 2, b"y");
    assert!(sealed.exists() && !lost.exists());
}

#[test]
fn a_full_disk_costs_the_profile_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"])
        .arg(root.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("SKIPPED: a small tmpfs needs the right to mount");
        return;
    }
    let spool = open(root.path());
    let (part, mut file) = spool.new_part().unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
    let result = spool.commit(&part, &ProfileMetadata::default());
    let left = tree(root.path());
    drop(file);
    let freed = spool
        .new_part()
        .map(|(_, mut file)| file.write_all(&[1; 4096]));
    drop(spool);
    let unmounted = Command::new("umount")
        .arg("-l")
        .arg(root.path())
        .status()
        .unwrap();
    assert!(unmounted.success());
    assert!(matches!(result, Err(SpoolError::DiskFull(_))), "{result:?}");
    assert_eq!(left.len(), 2, "the folder and its lock alone: {left:?}");
    assert!(matches!(freed, Ok(Ok(()))));
}
