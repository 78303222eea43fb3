//! The own walker, made for the running JVM.
//!
//! # Safety
//! Calls into the JVM with the calling thread's own environment; addresses come from the running JVM's tables.
#![allow(unsafe_code)]

use jprof_signal_safe::counters::Counters;
use jprof_signal_safe::walker::hotspot::HotspotWalker;
use jprof_signal_safe::walker::judge::JudgedWalker;
use once_cell::sync::OnceCell;

use super::{Choice, Jvm};
use crate::allocation::Stacks;
use crate::engine::FaultHandlers;
use crate::hotspot::memory::SafeReader;
use crate::hotspot::{Declined, walk_layout};
use crate::java::continuations;

/// It alone; or why not, in words.
pub(super) fn alone(jvm: &Jvm<'_>) -> Result<Choice, String> {
    let (walker, fault_handlers) = walker(jvm)?;
    Ok(Choice {
        walker,
        needs_method_ids: false,
        fault_handlers: Some(fault_handlers),
        stacks: Stacks::Walked(walker),
        name: "vm",
    })
}

/// It, with AsyncGetCallTrace as the judge of each stack; or why not, in words.
pub(super) fn judged(jvm: &Jvm<'_>, counters: &'static Counters) -> Result<Choice, String> {
    let agct = super::agct(jvm).map_err(|reason| reason.to_string())?;
    let (own, fault_handlers) = walker(jvm)?;
    static BOTH: OnceCell<JudgedWalker> = OnceCell::new();
    Ok(Choice {
        walker: BOTH.get_or_init(|| JudgedWalker::new(own, agct, counters)),
        needs_method_ids: true,
        fault_handlers: Some(fault_handlers),
        stacks: Stacks::Walked(own),
        name: "both",
    })
}

fn walker(jvm: &Jvm<'_>) -> Result<(&'static HotspotWalker, FaultHandlers), String> {
    static OWN: OnceCell<HotspotWalker> = OnceCell::new();
    let walker = OWN.get_or_try_init(|| make(jvm))?;
    let fault_handlers = FaultHandlers::install()
        .map_err(|error| format!("the handler of faults cannot be installed: {error}"))?;
    Ok((walker, fault_handlers))
}

fn make(jvm: &Jvm<'_>) -> Result<HotspotWalker, String> {
    let declined = |reason: Declined| reason.to_string();
    let structs = jvm.structs.ok_or("libjvm's tables cannot be read")?;
    let version = jvm.version.ok_or("the JVM's version is not understood")?;
    let java = jvm.java.ok_or("Java threads are not understood")?;
    let reader = SafeReader::new().map_err(declined)?;
    // SAFETY: the environment is the calling thread's own.
    let id = unsafe { java.enter_special(jvm.env) };
    // Up to 25 a jmethodID points to a pointer to the method (JDK-8268406 changes it in 26).
    let enter_special = id
        .filter(|_| version.feature <= 25)
        .and_then(|id| reader.read_u64(id as u64).ok())
        .unwrap_or(0);
    let known = walk_layout::Known {
        version,
        jni_env: java.env_distance(),
        enter_special: enter_special as usize,
        // SAFETY: the environment is the calling thread's own.
        continuation_fields: unsafe { continuations::fields(jvm.env) },
    };
    let layout = walk_layout::read(structs, &reader, known).map_err(declined)?;
    log::debug!(
        "frames of virtual threads in the heap: {:?}",
        layout.entry.continuation
    );
    Ok(HotspotWalker::new(layout))
}
