//! `jprof status`: one JVM, and jprof in it.

use std::path::Path;

use anyhow::Result;
use jprof_attach::inspect;

use crate::list::{state, to_json};
use crate::output;

/// Show a JVM, and whether jprof records in it
///
/// Tells what can be seen from outside, and asks the JVM nothing: whether the library is loaded, and whether its
/// recorder runs. The agent's losses and costs are in its recordings: see `jprof metrics --counters`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof status 4242
  jprof status 4242 --json")]
pub(crate) struct Args {
    /// The JVM's process id, as `jprof list` shows it
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let jvm = inspect(args.pid)?;
    output::write_to(Path::new("-"), |out| {
        if args.json {
            return writeln!(out, "{:#}", to_json(&jvm));
        }
        writeln!(out, "pid    {}", jvm.pid)?;
        writeln!(out, "name   {}", jvm.name)?;
        writeln!(out, "user   {}", jvm.user)?;
        writeln!(out, "jdk    {}", jvm.jdk.as_deref().unwrap_or("-"))?;
        match &jvm.jprof {
            None => writeln!(out, "jprof  not loaded"),
            Some(jprof) => {
                let state = state(Some(jprof));
                writeln!(out, "jprof  {state}, from {}", jprof.library.display())
            }
        }
    })
}
