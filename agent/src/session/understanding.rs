//! What is understood of the JVM that is profiled.

use crate::hotspot::memory::SafeReader;
use crate::hotspot::names::MethodResolver;
use crate::hotspot::threads::ThreadReader;
use crate::hotspot::{JavaVersion, JvmInfo, VmStructs};
use crate::jvmti::Jvmti;

/// What is understood of this JVM.
#[derive(Debug)]
pub(super) struct HotSpot {
    pub(super) version: Option<JavaVersion>,
    pub(super) structs: Option<VmStructs>,
    reader: Option<SafeReader>,
    pub(super) resolver: Option<MethodResolver>,
    pub(super) thread_reader: Option<(ThreadReader, SafeReader)>,
}

impl HotSpot {
    pub(super) fn learn(jvmti: Jvmti, raw_names: bool) -> Self {
        let structs = VmStructs::load()
            .inspect_err(|reason| log::warn!("method names cannot be read: {reason}"))
            .ok();
        let version = jvmti
            .system_property("java.vm.version")
            .and_then(|text| JavaVersion::parse(&text));
        let resolver = structs
            .as_ref()
            .zip(version)
            .and_then(|(structs, version)| {
                MethodResolver::new(structs, version)
                    .map(|resolver| resolver.with_raw_names(raw_names))
                    .inspect_err(|reason| log::warn!("method names cannot be read: {reason}"))
                    .ok()
            });
        let thread_reader = structs.as_ref().and_then(|structs| {
            ThreadReader::new(structs)
                .and_then(|threads| Ok((threads, SafeReader::new()?)))
                .ok()
        });
        Self {
            version,
            structs,
            reader: SafeReader::new().ok(),
            resolver,
            thread_reader,
        }
    }

    pub(super) fn jvm_info(&self) -> JvmInfo {
        match (&self.structs, &self.reader) {
            (Some(structs), Some(reader)) => JvmInfo::read(structs, reader),
            _ => JvmInfo::from_proc(),
        }
    }
}
