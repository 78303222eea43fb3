use std::path::PathBuf;

use anyhow::Result;
use jfr_analysis::collapsed;

use crate::recording::What;
use crate::{output, recording};

/// Turn a recording into another format
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof convert main.jfr --to collapsed -o main.collapsed
  jprof convert main.jfr --to collapsed --alloc --total -o allocated-bytes.collapsed
  jprof convert main.jfr --to collapsed --threads | grep '^\\[main\\]'")]
pub(crate) struct Args {
    /// Recordings, plain or gzip; several are added up; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The format: a line frame;frame;frame N for each stack, root first
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// The file to write; - is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    what: What,
    /// Make the thread's name the root frame
    #[arg(long)]
    threads: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Collapsed,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let (stacks, _) = recording::stacks(&args.files, args.what.kind())?;
    match args.to {
        Format::Collapsed => {
            output::write_to(&args.output, |out| collapsed(&stacks, args.threads, out))
        }
    }
}
