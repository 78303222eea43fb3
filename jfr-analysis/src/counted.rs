use jfr_reader::{Chunk, Recording};

/// The event that tells how a recording was made, setting by setting.
const SETTING: &str = "jdk.ActiveSetting";

/// What profilers call the events that sample time.
const TIME: [&str; 8] = [
    "",
    "none",
    "cpu",
    "cpu-clock",
    "task-clock",
    "ctimer",
    "itimer",
    "wall",
];

/// What execution samples stand for in a recording that samples something other than time, as jprof and async-profiler do with
/// `event=page-faults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The event's name.
    pub(crate) event: String,
    /// How many of them a sample stands for, where the file says so.
    pub(crate) interval: Option<u64>,
}

impl Counted {
    /// As the settings of the recording's first chunk say.
    pub(crate) fn of(recording: &Recording<'_>) -> Option<Self> {
        Self::of_chunk(recording.chunks().first()?)
    }

    fn of_chunk(chunk: &Chunk<'_>) -> Option<Self> {
        let (mut event, mut interval) = (None, None::<u64>);
        for setting in chunk.events().flatten() {
            if setting.type_name() != SETTING {
                continue;
            }
            let (Some(name), Some(value)) = (setting.text("name"), setting.text("value")) else {
                continue;
            };
            match &*name {
                "event" => event = event.or(Some(value.into_owned())),
                "interval" => interval = interval.or(value.parse().ok()),
                _ => {}
            }
        }
        let event = event.filter(|event| !TIME.contains(&event.as_str()))?;
        Some(Self {
            event,
            // async-profiler writes 0 for an event's own default, which it does not name.
            interval: interval.filter(|&number| number > 0),
        })
    }

    /// What a sample is, for people.
    pub(crate) fn unit(&self) -> String {
        match self.interval {
            Some(1) => self.event.clone(),
            Some(number) => format!("samples of {number} {}", self.event),
            None => format!("samples of {}", self.event),
        }
    }
}
