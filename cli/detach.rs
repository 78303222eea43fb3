//! `jprof detach`: the end of a recording in a JVM that runs on.

use anyhow::Result;
use jprof_attach::detach;

use crate::attach::Limit;

/// End the recording in a JVM that runs on
///
/// The agent seals what it has, writes or uploads it, and stops. Its library stays in the JVM, idle.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  jprof attach 4242 url=none,file=/tmp/shop.jfr
  jprof detach 4242
  jprof flame /tmp/shop.jfr -o shop.html")]
pub(crate) struct Args {
    /// The JVM's process id, as `jprof list` shows it
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: u32,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let detached = detach(args.pid, &args.limit.start()?)?;
    if detached.was_recording {
        println!("the recording in the JVM {} has ended", args.pid);
    } else {
        println!("jprof in the JVM {} did not record", args.pid);
    }
    Ok(())
}
