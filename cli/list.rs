//! `jprof list`: the JVMs that run.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use jprof_attach::{Jprof, Jvm, list};
use serde_json::{Value, json};

use crate::output;

/// List the running JVMs, and whether jprof is in them
///
/// Shows the JVMs that you may look into: your own; root sees all, containers' too. JPROF is `recording`, `loaded` (it
/// is there and does not record) or -.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof list
  jprof list --json")]
pub(crate) struct Args {
    /// Print one JSON array, an object for each JVM
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let listing = list()?;
    output::write_to(Path::new("-"), |out| {
        if args.json {
            let jvms: Vec<Value> = listing.jvms.iter().map(to_json).collect();
            return writeln!(out, "{:#}", Value::from(jvms));
        }
        write_table(&listing.jvms, out)
    })?;
    if listing.unreadable > 0 {
        let (count, noun) = (listing.unreadable, plural(listing.unreadable));
        eprintln!("jprof: {count} {noun} left out, which this user may not look into");
    }
    Ok(())
}

fn plural(count: usize) -> &'static str {
    if count == 1 {
        "process is"
    } else {
        "processes are"
    }
}

/// A JVM as a JSON object.
pub(crate) fn to_json(jvm: &Jvm) -> Value {
    json!({
        "pid": jvm.pid,
        "user": jvm.user,
        "uid": jvm.uid,
        "jdk": jvm.jdk,
        "name": jvm.name,
        "jprof": jvm.jprof.as_ref().map(|jprof| json!({
            "library": jprof.library.to_string_lossy(),
            "recording": jprof.recording,
        })),
    })
}

/// How the agent does, in a word.
pub(crate) fn state(jprof: Option<&Jprof>) -> &'static str {
    match jprof {
        None => "-",
        Some(jprof) if jprof.recording => "recording",
        Some(_) => "loaded",
    }
}

fn write_table(jvms: &[Jvm], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![["PID", "USER", "JDK", "JPROF", "NAME"].map(str::to_owned)];
    rows.extend(jvms.iter().map(|jvm| {
        [
            jvm.pid.to_string(),
            jvm.user.clone(),
            jvm.jdk.clone().unwrap_or_else(|| "-".to_owned()),
            state(jvm.jprof.as_ref()).to_owned(),
            jvm.name.clone(),
        ]
    }));
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let [pid, user, jdk, jprof, _] = [0, 1, 2, 3, 4].map(width);
    for [a, b, c, d, e] in &rows {
        writeln!(out, "{a:>pid$}  {b:<user$}  {c:<jdk$}  {d:<jprof$}  {e}")?;
    }
    Ok(())
}
