//! The command `jprof`: one file per verb.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong words.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod attach;
mod convert;
mod detach;
mod flame;
mod list;
mod metrics;
mod output;
mod recording;
mod serve;
mod status;
mod upload;

/// Continuous profiling of JVMs: attach to them; receive, show and convert profiles
///
/// The agent libjprof.so makes the profiles and sends them to DataKit; this command loads it into
/// JVMs that run, receives profiles in DataKit's place, and reads them.
#[derive(Parser)]
#[command(
    name = "jprof",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("JPROF_REVISION"), ")"),
    arg_required_else_help = true,
    after_help = "\
Example:
  jprof serve &
  java -agentpath:/path/to/libjprof.so=service=demo,period=10s -jar app.jar
  then open http://127.0.0.1:9529/ in a browser

`jprof VERB --help` has an example of each verb."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    List(list::Args),
    Attach(attach::Args),
    Detach(detach::Args),
    Status(status::Args),
    Serve(serve::Args),
    Flame(flame::Args),
    Convert(convert::Args),
    Metrics(metrics::Args),
    Upload(upload::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::List(args) => list::run(args),
        Verb::Attach(args) => attach::run(args),
        Verb::Detach(args) => detach::run(args),
        Verb::Status(args) => status::run(args),
        Verb::Serve(args) => serve::run(args),
        Verb::Flame(args) => flame::run(args),
        Verb::Convert(args) => convert::run(args),
        Verb::Metrics(args) => metrics::run(args),
        Verb::Upload(args) => upload::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With no standard error left, the exit code still tells.
            let _ = writeln!(io::stderr(), "jprof: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_of_the_command_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_verb_has_an_example() {
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(
                help.starts_with("Example") && help.contains("jprof"),
                "{} has no example",
                verb.get_name()
            );
        }
    }
}
