//! The processor, from `/proc/cpuinfo`.
//!
//! # Safety
//!
//! The one unsafe block is sysconf(3), which takes a number.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;

/// What JFR's `jdk.CPUInformation` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuInfo {
    /// The model in a few words: `Intel(R) Xeon(R) Processor @ 2.20GHz`.
    pub model: String,
    /// Everything known of it: brand, vendor, family, model, stepping, features.
    pub description: String,
    /// Sockets, at least 1.
    pub sockets: u32,
    /// Cores in all sockets, at least as many.
    pub cores: u32,
    /// Hardware threads online, at least 1.
    pub hw_threads: u32,
}

impl CpuInfo {
    /// This machine's. What `/proc/cpuinfo` does not say falls back to the number of processors online.
    pub fn read() -> CpuInfo {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        CpuInfo::parse(&text, online_processors())
    }

    pub(crate) fn parse(cpuinfo: &str, online: u32) -> CpuInfo {
        let mut sockets = BTreeSet::new();
        let mut cores = BTreeSet::new();
        let mut processors = 0;
        // One paragraph for each hardware thread.
        for paragraph in cpuinfo.split("\n\n") {
            if value(paragraph, "processor").is_none() {
                continue;
            }
            processors += 1;
            if let (Some(socket), Some(core)) =
                (value(paragraph, "physical id"), value(paragraph, "core id"))
            {
                sockets.insert(socket);
                cores.insert((socket, core));
            }
        }
        let hw_threads = if processors > 0 { processors } else { online };
        let cores = if cores.is_empty() {
            hw_threads
        } else {
            cores.len() as u32
        };
        let model = value(cpuinfo, "model name")
            .or_else(|| value(cpuinfo, "Model"))
            .unwrap_or(std::env::consts::ARCH);
        CpuInfo {
            model: model.to_owned(),
            description: describe(cpuinfo, model),
            sockets: (sockets.len() as u32).max(1),
            cores,
            hw_threads,
        }
    }
}

fn describe(cpuinfo: &str, model: &str) -> String {
    // The names on x86 and, after them, on ARM.
    const FIELDS: [(&str, &[&str]); 5] = [
        ("Vendor", &["vendor_id", "CPU implementer"]),
        ("Family", &["cpu family", "CPU architecture"]),
        ("Model", &["model", "CPU part"]),
        ("Stepping", &["stepping", "CPU revision"]),
        ("Features", &["flags", "Features"]),
    ];
    let mut text = format!("Brand: {model}");
    for (label, keys) in FIELDS {
        if let Some(value) = keys.iter().find_map(|key| value(cpuinfo, key)) {
            text.push_str(&format!("\n{label}: {value}"));
        }
    }
    text
}

/// The value of the first line `key : value`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim_end() == key).then_some(value.trim())
    })
}

fn online_processors() -> u32 {
    // SAFETY: sysconf takes a plain number.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(online).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x86_processor(processor: u32, socket: u32, core: u32) -> String {
        format!(
            "processor\t: {processor}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
             model name\t: Intel(R) Xeon(R) @ 2.20GHz\nstepping\t: 7\nphysical id\t: {socket}\ncore id\t\t: {core}\n\
             flags\t\t: fpu sse2\n\n"
        )
    }

    #[test]
    fn sockets_cores_and_threads_are_told_apart() {
        let mut text = String::new();
        for processor in 0..8 {
            // Two sockets, two cores each with the same numbers in both, two threads each.
            text += &x86_processor(processor, processor / 4, processor / 2 % 2);
        }
        let cpu = CpuInfo::parse(&text, 99);
        assert_eq!((cpu.sockets, cpu.cores, cpu.hw_threads), (2, 4, 8));
        assert_eq!(cpu.model, "Intel(R) Xeon(R) @ 2.20GHz");
        assert_eq!(
            cpu.description,
            "Brand: Intel(R) Xeon(R) @ 2.20GHz\nVendor: GenuineIntel\nFamily: 6\nModel: 85\nStepping: 7\nFeatures: fpu sse2"
        );
    }

    #[test]
    fn arm_has_no_sockets_and_no_model_name() {
        let processor = |n| {
            format!(
                "processor\t: {n}\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n"
            )
        };
        let cpu = CpuInfo::parse(&(processor(0) + &processor(1)), 99);
        assert_eq!((cpu.sockets, cpu.cores, cpu.hw_threads), (1, 2, 2));
        assert_eq!(cpu.model, std::env::consts::ARCH);
        assert!(
            cpu.description
                .ends_with("\nVendor: 0x41\nModel: 0xd0c\nFeatures: fp asimd")
        );
    }

    #[test]
    fn without_cpuinfo_the_processors_online_count() {
        let cpu = CpuInfo::parse("", 3);
        assert_eq!((cpu.sockets, cpu.cores, cpu.hw_threads), (1, 3, 3));
    }

    #[test]
    fn this_machine_has_at_least_one_of_each() {
        let cpu = CpuInfo::read();
        assert!(1 <= cpu.sockets && cpu.sockets <= cpu.cores && cpu.cores <= cpu.hw_threads);
    }
}
