//! `jprof serve`: the embedded receiver.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
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
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9529", value_parser = address)]
    listen: SocketAddr,
    /// Folder that keeps the profiles, up to 10 GiB; made if it does not exist
    #[arg(long, value_name = "FOLDER", default_value = "jprof-profiles")]
    dir: PathBuf,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// An address, or a name that this machine knows.
fn address(words: &str) -> Result<SocketAddr, String> {
    let example = "write it like 127.0.0.1:9529 or localhost:9529";
    words
        .to_socket_addrs()
        .map_err(|error| format!("{error}; {example}"))?
        .next()
        .ok_or_else(|| format!("the name has no address; {example}"))
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let quiet = args.quiet;
    let receiver =
        Receiver::bind(args.listen, &args.dir)?.on_event(move |event| report(&event, quiet));
    if !quiet {
        // Nobody need read it.
        let _ = greet(&receiver, &args);
    }
    receiver.run()?;
    Ok(())
}

fn greet(receiver: &Receiver, args: &Args) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{}/", receiver.local_addr())?;
    writeln!(out, "keeping profiles in {}", args.dir.display())?;
    if !receiver.local_addr().ip().is_loopback() {
        writeln!(out, "other hosts can send and read profiles")?;
    }
    out.flush()
}

fn report(event: &Event<'_>, quiet: bool) {
    // Nobody need read it; the receiver goes on.
    let _ = match event {
        Event::Kept(upload) if !quiet => writeln!(
            io::stdout(),
            "kept {}: {} bytes{}",
            upload.id,
            upload.jfr_bytes,
            upload
                .problems
                .iter()
                .map(|problem| format!("; {problem}"))
                .collect::<String>(),
        ),
        Event::Refused { reason } => writeln!(io::stderr(), "jprof: {reason}"),
        _ => Ok(()),
    };
}
