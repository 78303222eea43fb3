//! What `fuzz/` calls of the parsers that are not public. Each takes any bytes, and asserts what holds of every answer.

use crate::host::{CpuInfo, Protections, libraries, os, procfs};
use crate::hotspot::names::{readable, symbols};
use crate::hotspot::version::{JavaVersion, agct_advice};
use crate::hotspot::{PerfData, vm_info};

/// Files of `/proc` and `/etc`.
pub fn host(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let cpu = CpuInfo::parse(text, 1);
    assert!(1 <= cpu.sockets && cpu.sockets <= cpu.cores && cpu.cores <= cpu.hw_threads);
    let found = libraries::parse(text);
    for library in &found {
        assert!(!library.path.is_empty() && !library.base_name().contains('/'));
    }
    let protections = Protections::parse(text);
    for library in found {
        protections.of(library.base_address as usize);
    }
    if let Some(stat) = procfs::Stat::parse(text) {
        assert!(stat.cpu_ticks() >= stat.user_ticks.max(stat.system_ticks));
    }
    if let Some(machine) = procfs::MachineCpu::parse(text) {
        assert!(machine.busy_ticks <= machine.total_ticks);
    }
    if let Some(name) = os::distribution_name(text) {
        assert!(!name.contains('\n'));
    }
    let (options, program) = vm_info::split_command_line(bytes);
    assert!(options.len() + program.len() <= text.len());
}

/// HotSpot's block of performance counters.
pub fn perf_data(bytes: &[u8]) {
    // Where the block begins only matters to who reads a counter's value later.
    if let Some(data) = PerfData::parse(bytes, 0x1000) {
        for name in ["sun.rt.safepoints", "java.rt.vmArgs"] {
            assert!(data.counter(name).is_none() || !bytes.is_empty());
            let text = data.text(name).unwrap_or_default();
            assert!(!text.contains('\0'));
        }
    }
}

/// Names of classes and methods, and versions.
pub fn names(bytes: &[u8]) {
    let text = symbols::text(bytes);
    assert!(text.starts_with(readable(&text)));
    if symbols::is_method_descriptor(bytes) {
        assert!(!symbols::is_method_name(b"") && bytes.contains(&b')'));
    }
    if symbols::is_method_name(bytes) {
        // What a method may be called, a class may, too.
        assert!(symbols::is_class_name(bytes));
    }
    if let Some(version) = JavaVersion::parse(&text) {
        let _ = (version.is_known(), version.to_string());
    }
    agct_advice(&text);
}
