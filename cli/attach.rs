//! `jprof attach`: the agent into a JVM that runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jprof_attach::{Deadline, attach};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Profile a JVM that runs already
///
/// Loads libjprof.so into the JVM, as -agentpath does at a start. No JDK is needed. Run it as the JVM's own user or as
/// root; JVMs in containers are reached from outside. A relative `file` in OPTIONS is one in the JVM's working directory.
#[derive(clap::Args)]
#[command(override_usage = "jprof attach [--library FILE] [--timeout TIME] <PID> [OPTIONS]")]
#[command(after_help = "\
Examples:
  jprof attach 4242
  jprof attach 4242 service=shop,env=prod
  jprof attach 4242 url=none,file=/tmp/shop.jfr
  jprof attach 4242 interval=1ms          changes the options of a recording that runs
  jprof detach 4242")]
pub(crate) struct Args {
    /// The JVM's process id, as `jprof list` shows it
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: u32,
    /// The agent's options, as -agentpath takes them; docs/options.md has them all
    #[arg(value_name = "OPTIONS", default_value = "", hide_default_value = true)]
    options: String,
    /// The agent's library [default: libjprof.so beside this command, in ../lib, or in /usr/local/lib]
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    #[command(flatten)]
    limit: Limit,
}

/// How long a JVM may take to answer.
#[derive(clap::Args)]
pub(crate) struct Limit {
    /// Longest time in all; a number is seconds, or with a unit: ms s m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

impl Limit {
    /// From now on. The signals that end a command make it end in order: nothing is left in the JVM's folders.
    pub(crate) fn start(&self) -> Result<Deadline> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("cannot watch for signals")?;
        }
        Ok(Deadline::after(self.timeout).cancelled_by(flag))
    }
}

fn duration(words: &str) -> Result<Duration, String> {
    let digits = words.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &words[digits.len()..];
    let number = digits.parse::<u32>().ok().filter(|&number| number > 0);
    let millis = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    match (number, millis) {
        (Some(number), Some(millis)) => Ok(Duration::from_millis(u64::from(number) * millis)),
        _ => Err("write it like 10s or 500ms".to_owned()),
    }
}

pub(crate) fn run(args: Args) -> Result<()> {
    let library = match args.library {
        Some(library) => library,
        None => installed()?,
    };
    let deadline = args.limit.start()?;
    let attached = attach(args.pid, &library, &args.options, &deadline)?;
    let state = match (attached.recording, attached.was_recording) {
        (true, true) => "records on with these options",
        (true, false) => "records",
        (false, _) => "does not record",
    };
    println!("jprof is in the JVM {} and {state}", args.pid);
    Ok(())
}

/// The library that belongs to this command.
fn installed() -> Result<PathBuf> {
    const NAME: &str = "libjprof.so";
    let command = std::env::current_exe().context("cannot tell where this command is")?;
    let folder = command.parent().unwrap_or(Path::new("/"));
    let places = [
        folder.join(NAME),
        folder.join("../lib").join(NAME),
        Path::new("/usr/local/lib").join(NAME),
    ];
    let Some(place) = places.iter().find(|place| place.is_file()) else {
        let places: Vec<String> = places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        bail!(
            "there is no {NAME} at {}: name it with --library",
            places.join(", ")
        );
    };
    Ok(place.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (words, millis) in [
            ("10", Some(10_000)),
            ("10s", Some(10_000)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("0", None),
            ("1.5s", None),
            ("-1", None),
            ("s", None),
            ("10h", None),
            ("", None),
        ] {
            let found = duration(words).ok();
            assert_eq!(found, millis.map(Duration::from_millis), "{words}");
        }
    }
}
