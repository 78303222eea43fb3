//! `jprof serve`: the embedded receiver.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Receive profiles as DataKit does, keep them, and show them in a web page.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; the loopback address keeps other hosts out
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9529")]
    listen: SocketAddr,
    /// Folder that keeps the uploads; made if it does not exist
    #[arg(long, value_name = "FOLDER", default_value = "jprof-uploads")]
    dir: PathBuf,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let _ = (args.listen, args.dir, args.quiet);
    Ok(())
}
