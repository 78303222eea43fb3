//! What the fuzz targets do with their bytes. libFuzzer calls it through `fuzz_targets/`, and `tests/mutations.rs` without
//! libFuzzer, so that no target rots.
#![deny(missing_docs)]

mod mutation;
mod recording;
pub mod seeds;
mod text;
mod walk;

pub use mutation::Mutator;

/// A target: any bytes must be survived, and what it asserts must hold.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also that of its file in `fuzz_targets/` and of its folder in `seeds/`.
    pub name: &'static str,
    /// The body.
    pub body: fn(&[u8]),
    /// How many mutations the tests take: it is more for those that are fast.
    pub mutations: usize,
}

const fn target(name: &'static str, body: fn(&[u8]), mutations: usize) -> Target {
    Target {
        name,
        body,
        mutations,
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("answer", ingest_client::fuzzing::answer, 5_000),
    target("command_line", jprof_attach::fuzzing::command_line, 10_000),
    target("endpoint", ingest_client::fuzzing::endpoint, 10_000),
    target("event_json", text::event_json, 5_000),
    target("files", jprof_attach::fuzzing::files, 5_000),
    target("host", jprof::fuzzing::host, 5_000),
    target("jfr_reader", recording::read_all, 60),
    target("line_numbers", text::line_numbers, 10_000),
    target("names", jprof::fuzzing::names, 10_000),
    target("options", text::options, 2_000),
    target("perf_data", jprof::fuzzing::perf_data, 10_000),
    target("perf_data_file", jprof_attach::fuzzing::perf_data, 10_000),
    target("reply", jprof_attach::fuzzing::reply, 10_000),
    target("request", receiver::fuzzing::request, 5_000),
    target("upload", receiver::fuzzing::upload, 300),
    target("walk", walk::walk, 5_000),
];

/// Runs the target of this name.
///
/// # Panics
/// When there is none; when what it asserts does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").body)(bytes);
}
