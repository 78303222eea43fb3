//! What DataKit does costs the application nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::support::{
    DataKit, Faulty, Jdk, Mood, OLD_AND_USUAL, Program, Run, Sent, closed_port, folder, on_jdks,
};

const SHUTDOWN_FLUSH: Duration = Duration::from_secs(1);
/// What the end of the JVM may take besides: the contract's second, and one for a machine that is busy elsewhere.
const MARGIN: Duration = Duration::from_secs(2);

/// Runs a program of one second; says how long it took from the end of its work to the end of the process.
fn run(jdk: &Jdk, agent: Option<&str>) -> (Run, Duration) {
    let program = Program::new(jdk, "ExitKinds", &["1", "exit"]);
    let program = match agent {
        Some(options) => program.agent(options),
        None => program,
    };
    let mut running = program.start();
    let worked = running.wait_for("truth hook=ran");
    let run = running.finish().expect_code(3);
    let took = run.ended - worked;
    (run, took)
}

/// The names of the truths, which do not change from run to run as the numbers do.
fn lines(run: &Run) -> Vec<&str> {
    let lines = run.stdout.lines();
    lines
        .map(|line| line.split_once('=').map_or(line, |(key, _)| key))
        .collect()
}

fn options(address: SocketAddr, spool: &Path) -> String {
    format!(
        "url=http://{address},spool={},period=1s,interval=1ms,shutdown_flush={}s",
        spool.display(),
        SHUTDOWN_FLUSH.as_secs()
    )
}

/// A program against `address` behaves as one without the agent, and ends soon.
fn check_untouched(jdk: &Jdk, address: SocketAddr, spool: &Path) -> Run {
    let (plain, without) = run(jdk, None);
    let (run, with) = run(jdk, Some(&options(address, spool)));
    eprintln!("the end takes {with:?}, {without:?} without the agent");
    assert_eq!(lines(&run), lines(&plain));
    assert_eq!(run.other_lines(), plain.other_lines());
    assert!(
        with <= without + SHUTDOWN_FLUSH + MARGIN,
        "the end takes {with:?}, {without:?} without the agent"
    );
    run
}

/// The next start of the same service sends what `earlier` left.
fn check_sent_by_next_start(jdk: &Jdk, address: SocketAddr, spool: &Path, earlier: &Run) {
    let datakit = DataKit::start_on(address);
    let (next, _) = run(jdk, Some(&options(address, spool)));
    let uploads = datakit.uploads();
    let of = |run: &Run| {
        let pid = run.truth("pid").to_string();
        uploads
            .iter()
            .filter(move |upload| upload.tag("process_id") == Some(&pid))
    };
    let left: Vec<&Sent> = of(earlier).collect();
    assert!(
        left.len() >= 2,
        "{} of two chunks of the first start came",
        left.len()
    );
    let claimed: u64 = left
        .iter()
        .map(|upload| upload.profile().cpu_nanos(|_| true))
        .sum();
    let used = earlier.truth("run.cpu_nanos");
    assert!(
        claimed + 30_000_000 >= used,
        "{claimed} ns came, {used} ns were used"
    );
    assert!(of(&next).count() >= 1, "nothing of the second start came");
}

#[test]
fn a_datakit_that_is_not_there_costs_nothing_and_gets_all_later() {
    on_jdks("closed port", OLD_AND_USUAL, |jdk| {
        let (address, spool) = (closed_port(), folder());
        let spool = spool.path().join("spool");
        let run = check_untouched(jdk, address, &spool);
        assert!(
            !run.agent_lines().is_empty(),
            "nobody says why nothing comes"
        );
        check_sent_by_next_start(jdk, address, &spool, &run);
    });
}

#[test]
fn a_datakit_that_does_not_answer_costs_nothing_and_gets_all_later() {
    on_jdks("dead and silent DataKit", OLD_AND_USUAL, |jdk| {
        for mood in [Mood::Dead, Mood::Silent] {
            eprintln!("{mood:?}");
            let (server, spool) = (Faulty::start(mood), folder());
            let spool = spool.path().join("spool");
            let run = check_untouched(jdk, server.address(), &spool);
            let address = server.address();
            drop(server);
            check_sent_by_next_start(jdk, address, &spool, &run);
        }
    });
}

#[test]
fn a_datakit_that_fails_costs_nothing_and_gets_all_later() {
    on_jdks("DataKit answers 500", OLD_AND_USUAL, |jdk| {
        let (server, spool) = (Faulty::start(Mood::Answers(500)), folder());
        let spool = spool.path().join("spool");
        let run = check_untouched(jdk, server.address(), &spool);
        assert!(server.requests() >= 1, "nothing was tried");
        let address = server.address();
        drop(server);
        check_sent_by_next_start(jdk, address, &spool, &run);
    });
}

#[test]
fn a_profile_that_datakit_refuses_is_not_sent_again() {
    on_jdks("DataKit answers 413", OLD_AND_USUAL, |jdk| {
        let (server, spool) = (Faulty::start(Mood::Answers(413)), folder());
        let spool = spool.path().join("spool");
        let run = check_untouched(jdk, server.address(), &spool);
        let lines = run.agent_lines();
        assert_eq!(lines.len(), 1, "one line that says what to do: {lines:?}");
        assert!(lines[0].contains("413"), "{lines:?}");
        let (address, tried) = (server.address(), server.requests());
        assert!(tried >= 2, "{tried} requests for two chunks");
        drop(server);
        let datakit = DataKit::start_on(address);
        let (next, _) = self::run(jdk, Some(&options(address, &spool)));
        let pid = next.truth("pid").to_string();
        for upload in datakit.uploads() {
            assert_eq!(upload.tag("process_id"), Some(pid.as_str()));
        }
    });
}
