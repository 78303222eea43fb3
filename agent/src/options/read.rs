//! Reads one value each. An error says what is wrong with the text; what would be right is known by the key.

use std::net::Ipv6Addr;
use std::time::Duration;

use ingest_client::{Endpoint, EndpointError};

use super::values::{Alloc, Event, Live, Url};

const NANOSECOND: u128 = 1;
const MICROSECOND: u128 = 1_000 * NANOSECOND;
const MILLISECOND: u128 = 1_000 * MICROSECOND;
const SECOND: u128 = 1_000 * MILLISECOND;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;

/// Unit names and their length in nanoseconds. The empty name is the unit of a bare number.
pub(super) type Units = &'static [(&'static str, u128)];

/// Units of lengths that people wait for.
pub(super) const LONG_UNITS: Units = &[
    ("", SECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];
/// Units of a sampling interval.
pub(super) const SHORT_UNITS: Units = &[
    ("", NANOSECOND),
    ("ns", NANOSECOND),
    ("us", MICROSECOND),
    ("µs", MICROSECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
];
/// Multiples of a number of events.
const COUNT_UNITS: Units = &[
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
];

/// Reads a whole number with a unit.
fn quantity(text: &str, units: Units) -> Result<u128, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    if digits == 0 {
        return Err("is not a whole number".to_owned());
    }
    let unit = text[digits..].trim_start();
    let &(_, length) = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| "has an unknown unit".to_owned())?;
    text[..digits]
        .parse::<u64>()
        .ok()
        .and_then(|number| u128::from(number).checked_mul(length))
        .ok_or_else(|| "is too large".to_owned())
}

/// Reads a length of time between two bounds, both included.
pub(super) fn duration(
    text: &str,
    units: Units,
    least: Duration,
    most: Duration,
) -> Result<Duration, String> {
    let nanos = quantity(text, units)?;
    if nanos < least.as_nanos() {
        return Err("is too short".to_owned());
    }
    if nanos > most.as_nanos() {
        return Err("is too long".to_owned());
    }
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| "is too long".to_owned())
}

/// Reads how many perf events lie between two samples: a number, or for clock events a length of time in nanoseconds.
pub(super) fn event_period(text: &str) -> Result<u64, String> {
    let count = quantity(text, COUNT_UNITS)
        .or_else(|wrong| quantity(text, SHORT_UNITS).map_err(|_| wrong))?;
    match u64::try_from(count) {
        Ok(0) => Err("is too short".to_owned()),
        // The kernel refuses periods with the highest bit set.
        Ok(count) if count <= i64::MAX as u64 => Ok(count),
        _ => Err("is too large".to_owned()),
    }
}

/// Units of sizes: async-profiler's too.
const SIZE_UNITS: Units = &[
    ("", 1),
    ("k", 1 << 10),
    ("K", 1 << 10),
    ("m", 1 << 20),
    ("M", 1 << 20),
    ("g", 1 << 30),
    ("G", 1 << 30),
];

/// Reads which allocations are sampled.
pub(super) fn alloc(text: &str) -> Result<Alloc, String> {
    match text {
        "on" | "auto" => return Ok(Alloc::Adaptive),
        "off" | "none" => return Ok(Alloc::Off),
        _ => {}
    }
    match quantity(text, SIZE_UNITS)? {
        0 => Err("is too small".to_owned()),
        bytes @ 1..=MOST_ALLOCATED => u64::try_from(bytes)
            .map(Alloc::Every)
            .map_err(|_| "is too large".to_owned()),
        _ => Err("is too large".to_owned()),
    }
}

/// Reads which live objects are written.
pub(super) fn live(text: &str) -> Result<Live, String> {
    match text {
        "on" => Ok(Live::On),
        "all" => Ok(Live::All),
        "off" | "none" => Ok(Live::Off),
        _ => Err("is not one of them".to_owned()),
    }
}

/// The largest distance of samples in bytes; what the JVM takes is one less.
const MOST_ALLOCATED: u128 = 2 << 30;

/// Reads a whole number between two bounds, both included.
pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(number) if number < least => Err("is too small".to_owned()),
        Ok(number) if number > most => Err("is too large".to_owned()),
        Ok(number) => Ok(number),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("is too large".to_owned())
        }
        Err(_) => Err("is not a whole number".to_owned()),
    }
}

/// Reads a switch.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("is neither on nor off".to_owned()),
    }
}

/// Reads the least grave level that is logged.
pub(super) fn level(text: &str) -> Result<log::LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Ok(log::LevelFilter::Off),
        "warning" => Ok(log::LevelFilter::Warn),
        other => other.parse().map_err(|_| "is no level".to_owned()),
    }
}

/// Reads an upload address.
pub(super) fn url(text: &str) -> Result<Url, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Url::None);
    }
    let wrong = match Endpoint::parse(text) {
        Ok(_) => return Ok(Url::Base(text.to_owned())),
        Err(wrong) => wrong,
    };
    // The texts of these errors repeat the value, which the complaint does already.
    Err(match wrong {
        EndpointError::NoScheme(_) | EndpointError::Scheme(_) => {
            "does not begin with http:// or https://"
        }
        EndpointError::Port(_) => "has a port that is not a number from 1 to 65535",
        _ => "is not an address",
    }
    .to_owned())
}

/// DataKit's own port, for a host that is named without one.
const DATAKIT_PORT: &str = "9529";

/// Makes an upload address of a host and a port of which at least one was given. A host may have a port of its own or
/// be a whole address already; a port that was given apart from it counts only where the host has none.
pub(super) fn url_of(host: Option<&str>, port: Option<&str>) -> String {
    let host = host.unwrap_or("localhost");
    let port = port.unwrap_or(DATAKIT_PORT);
    if host.contains("://") {
        return host.to_owned();
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return format!("http://[{host}]:{port}");
    }
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    if host[after_brackets..].contains(':') {
        format!("http://{host}")
    } else {
        format!("http://{host}:{port}")
    }
}

/// What the words of an event list ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    /// The first event that makes CPU samples.
    pub(super) cpu: Option<Event>,
    /// Further ones: only one can be had at a time.
    pub(super) surplus: Vec<String>,
    /// Other engines that are among them.
    pub(super) others: Others,
    /// Words of engines that are not there.
    pub(super) later: Vec<String>,
}

/// Engines beside that of CPU samples that an event list can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// Allocations.
    pub(super) alloc: bool,
    /// Live objects.
    pub(super) live: bool,
}

/// Words of engines that are not in this version, own and async-profiler's.
const OTHER_ENGINES: [&str; 5] = ["wall", "lock", "nativemem", "nativelock", "all"];

/// Longest name of an event; the kernel's own longest are a third of it.
const LONGEST_EVENT_NAME: usize = 200;

/// Reads event names separated by commas.
pub(super) fn events(text: &str) -> Result<Events, String> {
    let mut events = Events::default();
    for name in text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match name {
            "alloc" => {
                events.others.alloc = true;
                continue;
            }
            "live" | "memleak" => {
                events.others.live = true;
                continue;
            }
            _ => {}
        }
        if OTHER_ENGINES.contains(&name) {
            events.later.push(name.to_owned());
            continue;
        }
        let event = match name {
            "none" => Event::None,
            "cpu" => Event::Cpu,
            "ctimer" => Event::CpuTimer,
            "itimer" => Event::ProcessTimer,
            _ if name.len() > LONGEST_EVENT_NAME => {
                return Err("is too long for an event".to_owned());
            }
            _ if name.chars().any(|c| c.is_whitespace() || c.is_control()) => {
                return Err("is no event".to_owned());
            }
            _ => Event::Perf(name.to_owned()),
        };
        if events.cpu.is_none() {
            events.cpu = Some(event);
        } else {
            events.surplus.push(name.to_owned());
        }
    }
    if events == Events::default() {
        return Err("names no event".to_owned());
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let read = |text| {
            duration(
                text,
                LONG_UNITS,
                Duration::from_secs(1),
                Duration::from_secs(3600),
            )
        };
        for (text, expected) in [
            ("60", Ok(60_000)),
            ("60s", Ok(60_000)),
            ("1500ms", Ok(1_500)),
            ("1 m", Ok(60_000)),
            ("1h", Ok(3_600_000)),
            ("001", Ok(1_000)),
            ("999ms", Err("is too short")),
            ("0", Err("is too short")),
            ("61m", Err("is too long")),
            ("18446744073709551615h", Err("is too long")),
            ("18446744073709551616", Err("is too large")),
            ("1.5s", Err("has an unknown unit")),
            ("1S", Err("has an unknown unit")),
            ("60us", Err("has an unknown unit")),
            ("-1", Err("is not a whole number")),
            ("+1", Err("is not a whole number")),
            ("", Err("is not a whole number")),
            ("s", Err("is not a whole number")),
            ("٣", Err("is not a whole number")),
        ] {
            let expected = expected.map(Duration::from_millis).map_err(str::to_owned);
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn intervals() {
        let read = |text| {
            duration(
                text,
                SHORT_UNITS,
                Duration::from_micros(10),
                Duration::from_secs(10),
            )
        };
        for (text, nanos) in [
            ("1000000", 1_000_000),
            ("10us", 10_000),
            ("10µs", 10_000),
            ("1ms", 1_000_000),
            ("10s", 10_000_000_000),
            ("20000ns", 20_000),
        ] {
            assert_eq!(read(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(read("9999"), Err("is too short".to_owned()));
        assert_eq!(read("1m"), Err("has an unknown unit".to_owned()));
    }

    #[test]
    fn event_periods() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("1000000", Ok(1_000_000)),
            ("5k", Ok(5_000)),
            ("2m", Ok(2_000_000)),
            ("10ms", Ok(10_000_000)),
            ("9223372036854775807", Ok(i64::MAX as u64)),
            ("9223372036854775808", Err("is too large")),
            ("0", Err("is too short")),
            ("1x", Err("has an unknown unit")),
        ] {
            assert_eq!(
                event_period(text),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_and_switches() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("8192", Ok(8192)),
            ("0", Err("is too small")),
            ("8193", Err("is too large")),
            ("99999999999999999999", Err("is too large")),
            ("-5", Err("is not a whole number")),
            ("", Err("is not a whole number")),
        ] {
            assert_eq!(
                number(text, 1, 8192),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
        for (text, expected) in [
            ("on", true),
            ("TRUE", true),
            ("1", true),
            ("off", false),
            ("no", false),
        ] {
            assert_eq!(switch(text), Ok(expected), "{text}");
        }
        assert_eq!(switch("perhaps"), Err("is neither on nor off".to_owned()));
    }

    #[test]
    fn levels() {
        for (text, expected) in [
            ("off", log::LevelFilter::Off),
            ("none", log::LevelFilter::Off),
            ("WARN", log::LevelFilter::Warn),
            ("warning", log::LevelFilter::Warn),
            ("debug", log::LevelFilter::Debug),
        ] {
            assert_eq!(level(text), Ok(expected), "{text}");
        }
        assert_eq!(level("loud"), Err("is no level".to_owned()));
    }

    #[test]
    fn urls() {
        const NO_SCHEME: &str = "does not begin with http:// or https://";
        const PORT: &str = "has a port that is not a number from 1 to 65535";
        for (text, expected) in [
            ("none", Ok(Url::None)),
            ("NONE", Ok(Url::None)),
            ("http://h", Ok(Url::Base("http://h".into()))),
            ("http://h:9529/", Ok(Url::Base("http://h:9529/".into()))),
            (
                "https://h.example:443/profiling/v1/input",
                Ok(Url::Base("https://h.example:443/profiling/v1/input".into())),
            ),
            (
                "http://[::1]:9529",
                Ok(Url::Base("http://[::1]:9529".into())),
            ),
            ("http://me:pw@h:1", Ok(Url::Base("http://me:pw@h:1".into()))),
            ("localhost:9529", Err(NO_SCHEME)),
            ("localhost", Err(NO_SCHEME)),
            ("ftp://h", Err(NO_SCHEME)),
            ("http://", Err("is not an address")),
            (
                "https://h/gateway/",
                Ok(Url::Base("https://h/gateway/".into())),
            ),
            ("http://:9529", Err("is not an address")),
            ("http://h:0", Err(PORT)),
            ("http://h:99999", Err(PORT)),
            ("http://h:abc", Err(PORT)),
            ("http://a b", Err("is not an address")),
            ("", Err("is not an address")),
        ] {
            assert_eq!(url(text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn addresses_of_hosts_and_ports() {
        for (host, port, expected) in [
            (Some("node"), None, "http://node:9529"),
            (Some("node"), Some("8126"), "http://node:8126"),
            (None, Some("8126"), "http://localhost:8126"),
            (Some("node:1"), Some("2"), "http://node:1"),
            (Some("::1"), None, "http://[::1]:9529"),
            (Some("[::1]"), Some("5"), "http://[::1]:5"),
            (Some("[::1]:6"), Some("5"), "http://[::1]:6"),
            (Some("https://node"), Some("5"), "https://node"),
        ] {
            assert_eq!(url_of(host, port), expected);
        }
    }

    #[test]
    fn event_lists() {
        let cpu = |event| Events {
            cpu: Some(event),
            ..Events::default()
        };
        assert_eq!(events("cpu"), Ok(cpu(Event::Cpu)));
        assert_eq!(events("none"), Ok(cpu(Event::None)));
        assert_eq!(events("ctimer"), Ok(cpu(Event::CpuTimer)));
        assert_eq!(events("itimer"), Ok(cpu(Event::ProcessTimer)));
        assert_eq!(
            events("L1-dcache-load-misses"),
            Ok(cpu(Event::Perf("L1-dcache-load-misses".into())))
        );
        assert_eq!(
            events("alloc, cpu,lock,cycles"),
            Ok(Events {
                cpu: Some(Event::Cpu),
                surplus: vec!["cycles".into()],
                others: Others {
                    alloc: true,
                    live: false,
                },
                later: vec!["lock".into()],
            })
        );
        assert_eq!(
            events("memleak"),
            Ok(Events {
                others: Others {
                    alloc: false,
                    live: true,
                },
                ..Events::default()
            })
        );
        assert_eq!(events("a b"), Err("is no event".to_owned()));
        assert_eq!(events(","), Err("names no event".to_owned()));
        assert_eq!(
            events(&"e".repeat(201)),
            Err("is too long for an event".to_owned())
        );
    }
}
