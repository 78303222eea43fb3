use std::path::PathBuf;

use anyhow::Result;
use jfr_analysis::{FlameOptions, flame_page};

use crate::recording::What;
use crate::{output, recording};

/// Make a flame graph: one HTML page that needs nothing else
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof flame main.jfr -o flame.html
  jprof flame main.jfr --alloc --total -o allocated-bytes.html
  jprof flame main.jfr --live -o live-objects.html
  jprof flame main.jfr --kind wall --threads -o wall.html
  cat *.jfr | jprof flame - -o all.html")]
pub(crate) struct Args {
    /// Recordings, plain or gzip; several are added up; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The page to write; - is standard output
    #[arg(short, long, value_name = "HTML")]
    output: PathBuf,
    #[command(flatten)]
    what: What,
    /// Make the thread's name the root frame
    #[arg(long)]
    threads: bool,
    /// The page's title, else what was sampled and the files' names
    #[arg(long)]
    title: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let kind = args.what.kind();
    let (stacks, notes) = recording::stacks(&args.files, kind)?;
    let title = args.title.unwrap_or_else(|| {
        let names: Vec<String> = args
            .files
            .iter()
            .map(|file| recording::name(file))
            .collect();
        let what = stacks.event.as_deref().unwrap_or(kind.title());
        format!("{what}: {}", names.join(", "))
    });
    let options = FlameOptions {
        title,
        threads: args.threads,
        notes,
    };
    let page = flame_page(&stacks, &options);
    output::write_to(&args.output, |out| out.write_all(page.as_bytes()))
}
