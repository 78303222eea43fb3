use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jfr_analysis::{EventJson, Metrics, Period, counters};
use jfr_reader::Recording;
use serde_json::json;

use crate::{output, recording};

const STDOUT: &str = "-";

/// Show the metrics that DataKit derives from a recording
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof metrics main.jfr --event event.json
  jprof metrics main.jfr --json
  jprof metrics main.jfr --counters")]
pub(crate) struct Args {
    /// The recording, plain or gzip; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The upload's metadata, whose start and end are the period; else the chunks' own times are
    #[arg(long, value_name = "event.json")]
    event: Option<PathBuf>,
    /// Print one JSON object, keyed by the metrics' names
    #[arg(long)]
    json: bool,
    /// Print the totals of jprof's own counters (losses and costs) in place of the metrics
    #[arg(long, conflicts_with = "event")]
    counters: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let loaded = recording::load(&args.file)?;
    let recording = recording::parse(&args.file, &loaded)?;
    if args.counters {
        let counters = counters(&recording);
        return output::write_to(STDOUT.as_ref(), |out| {
            write_counters(&counters, args.json, out)
        });
    }
    let period = period(args.event.as_deref(), &recording)?;
    let metrics = Metrics::derive(&recording, period);
    output::write_to(STDOUT.as_ref(), |out| {
        if args.json {
            return writeln!(out, "{:#}", metrics.to_json());
        }
        out.write_all(metrics.to_table().as_bytes())
    })
}

fn period(event: Option<&Path>, recording: &Recording<'_>) -> Result<Period> {
    let Some(path) = event else {
        return Period::of_chunks(recording).context("the recording has no chunk");
    };
    let json = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let wrong = || {
        format!(
            "{} does not say when the profile began and ended",
            path.display()
        )
    };
    EventJson::parse(&json)
        .and_then(|event| event.period())
        .with_context(wrong)
}

fn write_counters(
    counters: &BTreeMap<String, i64>,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        return writeln!(out, "{:#}", json!(counters));
    }
    let width = counters.keys().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    for (name, count) in counters {
        writeln!(out, "{name:<width$}  {count:>12}")?;
    }
    Ok(())
}
