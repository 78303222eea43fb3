//! The share of the machine's CPU time that the JVM and the machine as a whole took, as JFR's `jdk.CPULoad` means it.

use super::procfs::{MachineCpu, ProcessCpu, machine_cpu, process_cpu, ticks_per_second};

/// Shares of the whole machine's CPU time over a span, each 0.0 to 1.0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuLoad {
    /// This process in user mode.
    pub jvm_user: f32,
    /// This process in kernel mode.
    pub jvm_system: f32,
    /// Everything that ran, this process included: never less than `jvm_user + jvm_system`.
    pub machine_total: f32,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    process: ProcessCpu,
    machine: MachineCpu,
}

impl Reading {
    fn take() -> Option<Reading> {
        Some(Reading {
            process: process_cpu()?,
            machine: machine_cpu()?,
        })
    }
}

/// Gives the load between one call and the next.
#[derive(Debug)]
pub struct CpuLoadSampler {
    last: Option<Reading>,
    tick_nanos: f64,
}

impl CpuLoadSampler {
    /// Begins the first span now.
    pub fn start() -> CpuLoadSampler {
        CpuLoadSampler {
            last: Reading::take(),
            tick_nanos: 1e9 / ticks_per_second() as f64,
        }
    }

    /// The load since the last call that gave one. `None` when no clock tick has passed since, or where `/proc/stat` cannot be read.
    pub fn sample(&mut self) -> Option<CpuLoad> {
        let now = Reading::take()?;
        let last = *self.last.get_or_insert(now);
        let load = load_between(&last, &now, self.tick_nanos)?;
        self.last = Some(now);
        Some(load)
    }
}

fn load_between(from: &Reading, to: &Reading, tick_nanos: f64) -> Option<CpuLoad> {
    let machine_ticks = to
        .machine
        .total_ticks
        .checked_sub(from.machine.total_ticks)?;
    if machine_ticks == 0 {
        return None;
    }
    let user = to
        .process
        .user_nanos
        .saturating_sub(from.process.user_nanos) as f64
        / tick_nanos;
    let system = to
        .process
        .system_nanos
        .saturating_sub(from.process.system_nanos) as f64
        / tick_nanos;
    let busy = to
        .machine
        .busy_ticks
        .saturating_sub(from.machine.busy_ticks) as f64;
    // The process's clock is finer than the machine's, so that over a short span it may be ahead of it.
    let total = (machine_ticks as f64).max(user + system);
    Some(CpuLoad {
        jvm_user: rounded_down(user / total),
        jvm_system: rounded_down(system / total),
        machine_total: rounded_up((busy.max(user + system) / total).min(1.0)),
    })
}

/// Readers add the parts: were each rounded to the nearest, their sum could be above the whole, even above 1.
fn rounded_down(share: f64) -> f32 {
    let nearest = share as f32;
    if f64::from(nearest) > share {
        nearest.next_down()
    } else {
        nearest
    }
}

fn rounded_up(share: f64) -> f32 {
    let nearest = share as f32;
    if f64::from(nearest) < share {
        nearest.next_up()
    } else {
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NANOS: f64 = 1e7;

    fn reading(user_millis: u64, system_millis: u64, busy_ticks: u64, total_ticks: u64) -> Reading {
        Reading {
            process: ProcessCpu {
                user_nanos: user_millis * 1_000_000,
                system_nanos: system_millis * 1_000_000,
            },
            machine: MachineCpu {
                busy_ticks,
                total_ticks,
            },
        }
    }

    #[test]
    fn shares_are_of_the_whole_machine() {
        // One second on two CPUs: 200 ticks; the process took 0.5 s and 0.25 s, all together took 1.5 s.
        let load = load_between(
            &reading(1000, 1000, 70, 1000),
            &reading(1500, 1250, 220, 1200),
            TICK_NANOS,
        );
        assert_eq!(
            load,
            Some(CpuLoad {
                jvm_user: 0.25,
                jvm_system: 0.125,
                machine_total: 0.75
            })
        );
    }

    #[test]
    fn the_machine_is_never_less_busy_than_the_process() {
        let load =
            load_between(&reading(0, 0, 0, 0), &reading(90, 30, 10, 20), TICK_NANOS).unwrap();
        for (found, expected) in [
            (load.jvm_user, 0.45),
            (load.jvm_system, 0.15),
            (load.machine_total, 0.6),
        ] {
            assert!((found - expected).abs() <= f32::EPSILON, "{load:?}");
        }
        // A span shorter than what the process's finer clock shows.
        let load = load_between(&reading(0, 0, 0, 0), &reading(30, 10, 1, 2), TICK_NANOS).unwrap();
        assert_eq!(
            (load.jvm_user, load.jvm_system, load.machine_total),
            (0.75, 0.25, 1.0)
        );
    }

    #[test]
    fn parts_never_sum_to_more_than_the_whole() {
        for user in 1..500 {
            for system in 0..60 {
                let load = load_between(
                    &reading(0, 0, 0, 0),
                    &reading(user * 7, system * 11, 1, 2),
                    TICK_NANOS,
                )
                .unwrap();
                let sum = f64::from(load.jvm_user) + f64::from(load.jvm_system);
                assert!(
                    sum <= f64::from(load.machine_total) && load.machine_total <= 1.0,
                    "{user} {system}: {load:?}"
                );
            }
        }
    }

    #[test]
    fn without_a_tick_there_is_no_load() {
        assert_eq!(
            load_between(&reading(0, 0, 5, 9), &reading(3, 0, 5, 9), TICK_NANOS),
            None
        );
        assert_eq!(
            load_between(&reading(0, 0, 5, 9), &reading(3, 0, 5, 8), TICK_NANOS),
            None
        );
    }

    #[test]
    fn a_busy_process_is_seen() {
        let mut sampler = CpuLoadSampler::start();
        let load = loop {
            if let Some(load) = sampler.sample() {
                break load;
            }
        };
        assert!(load.jvm_user + load.jvm_system > 0.0);
        assert!(
            load.machine_total <= 1.0
                && f64::from(load.jvm_user) + f64::from(load.jvm_system)
                    <= f64::from(load.machine_total)
        );
    }
}
