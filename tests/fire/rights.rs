//! What the system refuses: perf events, timers, loads, descriptors, memory.

use super::{
    BYSTANDER, CROWD, STRANGER, bystander, check_says, check_share_of_major, plain_bystander,
    recorded,
};
use crate::accuracy::Measured;
use crate::support::{
    ALL, Confinement, Jdk, OLD_AND_USUAL, Program, at_once, is_root, on_jdks, skip,
};

/// The least part of all CPU time that the program's own threads have, with a stack: the JVM starts, compiles and ends, too.
const OWN_PART: f64 = 0.5;
/// The same for threads of some milliseconds, which many of the kernel's ticks miss: the rest is `[thread_end]`.
const OWN_PART_OF_A_CROWD: f64 = 0.1;

fn check_sampled(measured: &Measured) {
    check_own_part(measured, OWN_PART);
    check_share_of_major(&measured.profile);
}

fn check_own_part(measured: &Measured, least: f64) {
    let profile = &measured.profile;
    let all = profile.weight(|_| true);
    let own =
        profile.weight(|sample| sample.stack.is_resolved() && sample.stack.has("Bystander.work"));
    eprintln!("{own} of {all} intervals are the program's own, with a stack");
    assert!(own as f64 >= all as f64 * least, "{own} of {all}");
}

/// What filters and kernels answer to what jprof asks, and what it says to that.
struct Refused {
    what: &'static str,
    calls: &'static [libc::c_long],
    errno: i32,
    words: &'static [&'static str],
}

const REFUSED: [Refused; 3] = [
    Refused {
        what: "EPERM, as containers answer",
        calls: &[libc::SYS_perf_event_open, libc::SYS_process_vm_readv],
        errno: libc::EPERM,
        words: &["CPU timers, since", "Operation not permitted", "seccomp"],
    },
    Refused {
        what: "ENOSYS, as kernels answer that lack it",
        calls: &[libc::SYS_perf_event_open, libc::SYS_process_vm_readv],
        errno: libc::ENOSYS,
        words: &["CPU timers, since", "not implemented"],
    },
    Refused {
        what: "EACCES, as with perf_event_paranoid=3",
        calls: &[libc::SYS_perf_event_open],
        errno: libc::EACCES,
        words: &[
            "CPU timers, since",
            "Permission denied",
            "perf_event_paranoid",
        ],
    },
];

impl Refused {
    fn confinement(&self) -> Confinement {
        let calls = self.calls.iter();
        calls.fold(Confinement::default(), |confinement, &call| {
            confinement.refuse(call, self.errno)
        })
    }
}

#[test]
fn without_perf_events_timers_sample_and_one_line_says_so() {
    on_jdks("no perf events", ALL, |jdk| {
        let plain = plain_bystander(jdk, BYSTANDER);
        at_once(&[0, 1, 2], |&number| {
            let refused: &Refused = &REFUSED[number];
            let program = bystander(jdk).confined(refused.confinement());
            let measured = recorded(program, "interval=1ms", &plain)
                .says(refused.words)
                .measured();
            eprintln!("JDK {}: {}", jdk.version, refused.what);
            assert_eq!(measured.profile.engine, "ctimer");
            check_sampled(&measured);
        });
    });
}

#[test]
fn as_another_user_timers_sample_and_one_line_says_so() {
    let test = "perf_event_paranoid=2 as another user";
    if !is_root() {
        skip(&format!("{test}: only root becomes somebody else"));
        return;
    }
    on_jdks(test, ALL, |jdk| {
        let plain = plain_bystander(jdk, BYSTANDER);
        let program = bystander(jdk).user(STRANGER);
        let measured = recorded(program, "interval=1ms", &plain)
            .says(&["CPU timers, since", "Permission denied"])
            .measured();
        assert_eq!(measured.profile.engine, "ctimer");
        check_sampled(&measured);
    });
}

#[test]
fn with_few_descriptors_the_application_has_its_own() {
    on_jdks("ulimit -n", ALL, |jdk| {
        let plain = plain_bystander(jdk, CROWD);
        at_once(&[64, 256], |&limit| {
            let confinement = Confinement::default().limit(libc::RLIMIT_NOFILE, limit);
            let program = Program::new(jdk, "Bystander", CROWD).confined(confinement);
            let measured = recorded(program, "interval=1ms", &plain)
                .says_nothing()
                .measured();
            eprintln!("JDK {}, {limit} descriptors", jdk.version);
            check_own_part(&measured, OWN_PART_OF_A_CROWD);
        });
    });
}

/// What the agent maps for its samples, and nobody else in a JVM: memory to be read and written at once, of which the system
/// need not have as much.
fn no_memory_for_samples() -> Confinement {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let arguments = [(2, protection.cast_unsigned()), (3, flags.cast_unsigned())];
    Confinement::default().refuse_with(libc::SYS_mmap, &arguments, libc::ENOMEM)
}

#[test]
fn without_memory_nothing_is_profiled_and_one_line_says_so() {
    on_jdks("no memory", OLD_AND_USUAL, |jdk: &Jdk| {
        let plain = plain_bystander(jdk, BYSTANDER);
        let program = bystander(jdk).confined(no_memory_for_samples());
        let alike = recorded(program, "interval=1ms", &plain);
        check_says(
            &alike.run,
            &["no memory for the samples", "nothing is profiled"],
        );
        assert!(alike.profile.is_none());
    });
}
