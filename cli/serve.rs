//! `jprof serve`: the embedded receiver.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use receiver::{Event, Receiver};

/// Receive profiles as DataKit does, keep them, and show them in a web page
///
/// Answers POST /profiling/v1/input like DataKit. The page lists the profiles with their metrics
/// and a flame graph each.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  jprof serve &
  java -agentpath:/path/to/libjprof.so=service=demo,period=10s -jar app.jar
  then open http://127.0.0.1:9529/ in a browser")]
pub(crate) struct Args {
    /// Address to listen on; a loopback address keeps other hosts out, 0.0.0.0 lets them in
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9529")]
    listen: SocketAddr,
    /// Folder that keeps the profiles, up to 10 GiB; made if it does not exist
    #[arg(long, value_name = "FOLDER", default_value = "jprof-profiles")]
    dir: PathBuf,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let quiet = args.quiet;
    let receiver = Receiver::bind(args.listen, &args.dir)?.on_event(move |event| report(&event, quiet));
    if !quiet {
        let mut out = io::stdout().lock();
        writeln!(out, "listening on http://{}/", receiver.local_addr())?;
        writeln!(out, "keeping profiles in {}", args.dir.display())?;
        if !args.listen.ip().is_loopback() {
            writeln!(out, "other hosts can send and read profiles")?;
        }
        out.flush()?;
    }
    receiver.run()?;
    Ok(())
}

fn report(event: &Event<'_>, quiet: bool) {
    // Nobody may read the output any more; the receiver goes on.
    let _ = match event {
        Event::Kept(upload) if !quiet => writeln!(
            io::stdout(),
            "kept {}: {} bytes{}",
            upload.id,
            upload.jfr_bytes,
            upload.problems.iter().map(|problem| format!("; {problem}")).collect::<String>(),
        ),
        Event::Refused { reason } => writeln!(io::stderr(), "jprof: {reason}"),
        _ => Ok(()),
    };
}
