//! The command `jprof`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod serve;

#[derive(Parser)]
#[command(
    name = "jprof",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("JPROF_REVISION"), ")"),
    about = "A continuous profiler for the JVM",
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Serve(serve::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Serve(args) => serve::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jprof: {error:#}");
            ExitCode::FAILURE
        }
    }
}
