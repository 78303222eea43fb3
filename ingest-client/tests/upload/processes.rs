//! Several processes under one root: real ones, since only a real end frees a lock.
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ingest_client::{FlushReport, Spool, SpoolLimits};

use crate::rig::{FOREVER, Rig, commit, files, hasty, wait_until};
use crate::server::{Act, Request, Server};

const ROOT: &str = "INGEST_CLIENT_TEST_ROOT";

/// The other process: spools two profiles and half of a third, and waits to be killed.
#[test]
#[ignore = "runs as a child of the tests below"]
fn child() {
    let root = std::env::var(ROOT).expect("started by another test");
    let spool = Spool::open(Path::new(&root), SpoolLimits::default()).unwrap();
    (1..=2).for_each(|start| commit(&spool, start, &start.to_string().into_bytes()));
    let (_part, _file) = spool.new_part().unwrap();
    // Until the parent's end of the pipe is gone.
    let _ = std::io::stdin().read(&mut [0]);
}

fn start_child(root: &Path) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--ignored"])
        .env(ROOT, root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| files(root).len() == 5, "the child's profiles");
    child
}

#[test]
fn a_killed_process_leaves_its_profiles_to_the_next() {
    let root = tempfile::tempdir().unwrap();
    let mut killed = start_child(root.path());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = files(root.path());
    assert_eq!(
        left.iter().filter(|name| name.ends_with(".part")).count(),
        1
    );

    let server = Server::start(&[Act::status(200)]);
    let rig = Rig::start_in(root.path(), &server.url(), hasty());
    rig.commit(3, b"3");
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 3, left: 0 });
    let requests = server.requests();
    let profiles: Vec<Vec<u8>> = requests.iter().map(Request::profile).collect();
    assert_eq!(profiles, [b"1", b"2", b"3"]);
    assert_eq!(rig.files(), [] as [&str; 0]);
}

#[test]
fn a_living_process_keeps_its_own() {
    let root = tempfile::tempdir().unwrap();
    let mut living = start_child(root.path());
    let server = Server::start(&[Act::status(200)]);
    let rig = Rig::start_in(root.path(), &server.url(), hasty());
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 0, left: 0 });
    assert_eq!(rig.files().len(), 5);
    living.kill().unwrap();
    living.wait().unwrap();
}
