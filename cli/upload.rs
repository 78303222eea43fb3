//! `jprof upload`: recordings that lie on disk, into DataKit's hands.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ingest_client::{Endpoint, ProfileMetadata, UploaderConfig, upload_bytes};
use jfr_analysis::Period;

use crate::{output, recording};

/// Send recordings to DataKit, each as one profile
///
/// One try for each file, one line for each on standard output. The recordings may be plain or
/// compressed, and come from any profiler; they are sent as gzip.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  jprof upload recording.jfr --service shop --env prod
  jprof upload main.jfr --event event.json --url http://datakit:9529
  jprof upload *.jfr --service shop --tag region:eu --tag pod_name:shop-1")]
pub(crate) struct Args {
    /// The recordings; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// DataKit's address, or the full URL of its profile input
    #[arg(long, value_name = "URL", default_value = "http://localhost:9529", value_parser = Endpoint::parse)]
    url: Endpoint,
    /// An earlier upload's metadata for the one FILE: its times and tags; else the chunks' own times serve
    #[arg(long, value_name = "event.json")]
    event: Option<PathBuf>,
    /// The service that was profiled
    #[arg(long)]
    service: Option<String>,
    /// The environment it ran in
    #[arg(long)]
    env: Option<String>,
    /// Its version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// One more tag; may be given several times
    #[arg(long, value_name = "NAME:VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// Certificates to trust for https, as PEM, in place of the built-in ones
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

fn tag(words: &str) -> Result<(String, String), String> {
    match words.split_once(':') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write it like region:eu".to_owned()),
    }
}

pub(crate) fn run(args: Args) -> Result<()> {
    if args.event.is_some() && args.files.len() > 1 {
        bail!(
            "--event describes one recording: upload the {} files one by one",
            args.files.len()
        );
    }
    let mut config = UploaderConfig::default();
    config.trusted_certificates = args.cacert.clone();
    let mut failed = 0;
    for file in &args.files {
        match upload(file, &args, &config) {
            Ok(line) => output::write_to(Path::new("-"), |out| writeln!(out, "{line}"))?,
            Err(error) => {
                failed += 1;
                eprintln!("jprof: {error:#}");
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {} files were not uploaded", args.files.len()),
    }
}

/// Sends one file; the line says what became of it.
fn upload(file: &Path, args: &Args, config: &UploaderConfig) -> Result<String> {
    let name = recording::name(file);
    let loaded = recording::load(file)?;
    let recording = recording::parse(file, &loaded)?;
    if !recording.damage().is_empty() {
        bail!(
            "{name} is damaged, and DataKit reads a recording whole or not at all: it is not uploaded"
        );
    }
    let mut metadata = match &args.event {
        Some(path) => {
            let json = fs::read_to_string(path);
            let json = json.with_context(|| format!("cannot read {}", path.display()))?;
            ProfileMetadata::from_event_json(&json).with_context(|| path.display().to_string())?
        }
        None => {
            let period = Period::of_chunks(&recording).context("the recording has no chunk")?;
            of_chunks(&period).with_context(|| format!("{name}: name the times with --event"))?
        }
    };
    add_tags(&mut metadata, args);
    let sent = upload_bytes(&args.url, loaded.bytes(), &metadata, config).context(name.clone())?;
    let datakit = sent.datakit.map(|datakit| format!(", DataKit {datakit}"));
    Ok(format!(
        "{name}: sent to {} ({} bytes{})",
        args.url,
        sent.profile_bytes,
        datakit.unwrap_or_default()
    ))
}

fn of_chunks(period: &Period) -> Result<ProfileMetadata> {
    let nanos = |at: i64| u64::try_from(at).context("its chunks begin before 1970");
    let metadata = ProfileMetadata {
        start_unix_nanos: nanos(period.start_unix_nanos)?,
        end_unix_nanos: nanos(period.end_unix_nanos)?,
        ..ProfileMetadata::default()
    };
    if metadata.start_unix_nanos >= metadata.end_unix_nanos {
        bail!("its chunks have no duration, by which DataKit would divide");
    }
    Ok(metadata)
}

/// The tags of the command line beat those of event.json; of two equal names the later one counts.
fn add_tags(metadata: &mut ProfileMetadata, args: &Args) {
    if metadata.tag("host").is_none()
        && let Ok(host) = fs::read_to_string("/proc/sys/kernel/hostname")
    {
        // DataKit rewrites the metadata of an upload that names no host.
        metadata
            .tags
            .push(("host".to_owned(), host.trim().to_owned()));
    }
    let named = [
        ("service", &args.service),
        ("env", &args.env),
        ("version", &args.version),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    metadata.tags.extend(named.chain(args.tag.iter().cloned()));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Upload {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Upload::parse_from([&["upload"], words].concat()).args
    }

    fn wrong(words: &[&str]) -> String {
        let parsed = Upload::try_parse_from([&["upload"], words].concat());
        parsed.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn the_words_beat_the_event_and_the_host_is_always_named() {
        let json = r#"{"start":"2025-10-09T08:53:20Z","end":"2025-10-09T08:53:21Z","tags_profiler":"service:old,host:h"}"#;
        let mut metadata = ProfileMetadata::from_event_json(json).unwrap();
        add_tags(
            &mut metadata,
            &args(&["x.jfr", "--service", "new", "--tag", "a:b:c"]),
        );
        assert_eq!(
            ["service", "host", "a", "env"].map(|name| metadata.tag(name)),
            [Some("new"), Some("h"), Some("b:c"), None]
        );
        let mut metadata = ProfileMetadata::default();
        add_tags(&mut metadata, &args(&["x.jfr"]));
        assert!(metadata.tag("host").is_some_and(|host| !host.is_empty()));
    }

    #[test]
    fn wrong_words_are_told_what_is_right() {
        assert!(wrong(&[]).contains("<FILE>"));
        assert!(wrong(&["x.jfr", "--tag", "region"]).contains("write it like region:eu"));
        assert!(wrong(&["x.jfr", "--url", "dk:9529"]).contains("write http://dk:9529"));
        let both = args(&["a.jfr", "b.jfr", "--event", "event.json"]);
        assert_eq!(
            run(both).unwrap_err().to_string(),
            "--event describes one recording: upload the 2 files one by one"
        );
    }

    #[test]
    fn chunks_without_a_duration_are_not_sent() {
        let of = |start_unix_nanos, end_unix_nanos| {
            of_chunks(&Period {
                start_unix_nanos,
                end_unix_nanos,
            })
        };
        let metadata = of(5, 9).unwrap();
        assert_eq!((metadata.start_unix_nanos, metadata.end_unix_nanos), (5, 9));
        assert!(of(5, 5).is_err());
        assert!(of(-1, 5).is_err());
    }
}
