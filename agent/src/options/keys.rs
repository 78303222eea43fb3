//! The options by name: what each takes, and where its value is looked for.

/// One option: its name in the agent string, and the other places that can give its value.
///
/// A value is looked for in the order of the fields: the agent string under `name`, then `properties`, then
/// `variable`, then `variables`, then `generic`. `docs/options.md` says the same in words, and a test holds the two
/// together.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// Name in the agent string.
    pub name: &'static str,
    /// System properties that give the value, first wins.
    pub properties: &'static [&'static str],
    /// jprof's own environment variable, `JPROF_` and the name in capitals.
    pub variable: &'static str,
    /// Environment variables of DataKit, its operator and the tracers it works with, first wins.
    pub variables: &'static [&'static str],
    /// Environment variables that any software may have set, asked last.
    pub generic: &'static [&'static str],
    /// What a right value is, as it stands in a complaint after "it takes".
    pub wants: &'static str,
}

/// A key that only the agent string and its own variable can give.
const fn plain(name: &'static str, variable: &'static str, wants: &'static str) -> Key {
    Key {
        name,
        properties: &[],
        variable,
        variables: &[],
        generic: &[],
        wants,
    }
}

pub(super) static SERVICE: Key = Key {
    properties: &["dk.service", "dd.service"],
    variables: &["DD_SERVICE", "DK_PROFILE_SERVICE", "FLAMESHOT_SERVICE"],
    generic: &["SERVICE_NAME"],
    ..plain("service", "JPROF_SERVICE", "the name of the service")
};
pub(super) static ENV: Key = Key {
    properties: &["dd.env"],
    variables: &["DD_ENV", "DK_PROFILE_ENV"],
    generic: &["APP_ENV"],
    ..plain(
        "env",
        "JPROF_ENV",
        "the name of the environment, such as prod",
    )
};
pub(super) static VERSION: Key = Key {
    properties: &["dd.version"],
    variables: &["DD_VERSION", "DK_PROFILE_VERSION"],
    generic: &["APP_VERSION"],
    ..plain(
        "version",
        "JPROF_VERSION",
        "the application's version, such as 1.4.2",
    )
};
pub(super) static HOST: Key = Key {
    variables: &["DK_PROFILE_HOSTNAME"],
    generic: &["HOST_NAME"],
    ..plain("host", "JPROF_HOST", "the name of the host")
};
pub(super) static TAGS: Key = Key {
    properties: &["dd.tags"],
    variables: &["DD_TAGS", "FLAMESHOT_TAGS"],
    ..plain("tags", "JPROF_TAGS", "tags such as team:shop;zone:a")
};
pub(super) static PERIOD: Key = Key {
    variables: &["DK_PROFILE_INTERVAL", "DK_PROFILE_DURATION"],
    ..plain(
        "period",
        "JPROF_PERIOD",
        "a length of time from 1s to 1h: a whole number with ms, s, m or h, seconds without",
    )
};
pub(super) static URL: Key = Key {
    properties: &["dd.agent.host", "dd.trace.agent.port"],
    variables: &[
        "DATAKIT_URL",
        "DD_AGENT_HOST",
        "DD_TRACE_AGENT_PORT",
        "DK_AGENT_HOST",
        "DK_AGENT_PORT",
        "FLAMESHOT_DATAKIT_ADDR",
    ],
    ..plain(
        "url",
        "JPROF_URL",
        "DataKit's address such as http://localhost:9529, or none",
    )
};
pub(super) static FILE: Key = plain(
    "file",
    "JPROF_FILE",
    "a path, in which %p is the process id, %t the time, %n a number, %{NAME} a variable and %% a percent sign",
);
pub(super) static EVENT: Key = Key {
    variables: &["DK_PROFILE_EVENT"],
    ..plain(
        "event",
        "JPROF_EVENT",
        "cpu, ctimer, itimer, none or the name of a perf event such as page-faults",
    )
};
pub(super) static INTERVAL: Key = plain(
    "interval",
    "JPROF_INTERVAL",
    "a length of time from 10us to 10s: a whole number with ns, us, ms or s, nanoseconds without; \
     for what is counted instead of time, how many events lie between two samples",
);
pub(super) static ALLOC: Key = plain(
    "alloc",
    "JPROF_ALLOC",
    "off, on, or how many bytes lie between two samples: a whole number from 1 to 2g, with k, m or g if need be",
);
pub(super) static LIVE: Key = plain(
    "live",
    "JPROF_LIVE",
    "off, on or all, and means on without a value",
);
pub(super) static DIALECT: Key = plain("dialect", "JPROF_DIALECT", "datakit or jdk");
pub(super) static WALKER: Key = plain("walker", "JPROF_WALKER", "vm, agct or both");
pub(super) static STACKDEPTH: Key = plain(
    "stackdepth",
    "JPROF_STACKDEPTH",
    "a whole number from 1 to 8192",
);
pub(super) static NAMES: Key = plain("names", "JPROF_NAMES", "readable or raw");
pub(super) static SPOOL: Key = plain("spool", "JPROF_SPOOL", "the path of a folder");
pub(super) static SHUTDOWN_FLUSH: Key = plain(
    "shutdown_flush",
    "JPROF_SHUTDOWN_FLUSH",
    "a length of time from 0s to 5m: a whole number with ms, s or m, seconds without",
);
pub(super) static LIBRARY_TYPE: Key = plain(
    "library_type",
    "JPROF_LIBRARY_TYPE",
    "the value of the tag library_type",
);
pub(super) static DEBUGDIR: Key = plain(
    "debugdir",
    "JPROF_DEBUGDIR",
    "paths of folders, separated by ;",
);
pub(super) static LOG: Key = plain("log", "JPROF_LOG", "stderr, stdout or the path of a file");
pub(super) static LOGLEVEL: Key = plain(
    "loglevel",
    "JPROF_LOGLEVEL",
    "off, error, warn, info, debug or trace",
);
pub(super) static STRICT: Key = plain(
    "strict",
    "JPROF_STRICT",
    "on or off, and means on without a value",
);

/// Every option of this version, in the order of the documentation.
pub static KEYS: [&Key; 23] = [
    &SERVICE,
    &ENV,
    &VERSION,
    &HOST,
    &TAGS,
    &PERIOD,
    &URL,
    &FILE,
    &EVENT,
    &INTERVAL,
    &ALLOC,
    &LIVE,
    &DIALECT,
    &WALKER,
    &STACKDEPTH,
    &NAMES,
    &SPOOL,
    &SHUTDOWN_FLUSH,
    &LIBRARY_TYPE,
    &DEBUGDIR,
    &LOG,
    &LOGLEVEL,
    &STRICT,
];

/// Options whose engine is not in this version: known by name, answered with a note, and without effect.
pub static LATER: [&str; 2] = ["wall", "lock"];

/// A second name of the option `live`: what DataKit's documents call it.
const MEMLEAK: &str = "memleak";

/// The option of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let name = if name == MEMLEAK { LIVE.name } else { name };
    KEYS.into_iter().find(|key| key.name == name)
}

/// What an option means that stands there without a value.
pub(super) fn value_alone(key: &Key) -> Option<&'static str> {
    [&STRICT, &ALLOC, &LIVE].contains(&key).then_some("on")
}

/// The known name that was probably meant: at most two slips away, and fewer than half of the letters.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = name.to_ascii_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&written, known), known))
        .filter(|&(slips, known)| slips <= 2 && slips * 2 < known.len())
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_variable_is_the_name_in_capitals() {
        for key in KEYS {
            assert_eq!(key.variable, format!("JPROF_{}", key.name.to_uppercase()));
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = KEYS.iter().map(|key| key.name).chain(LATER).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn nearest_name_of_a_slip_of_the_pen() {
        let names = || KEYS.iter().map(|key| key.name);
        for (written, meant) in [
            ("perod", Some("period")),
            ("Period", Some("period")),
            ("intervall", Some("interval")),
            ("servcie", Some("service")),
            ("stack_depth", Some("stackdepth")),
            ("shutdownflush", Some("shutdown_flush")),
            ("evn", Some("env")),
            ("x", None),
            ("", None),
            ("wallclock", None),
        ] {
            assert_eq!(nearest(written, names()), meant, "{written}");
        }
    }
}
