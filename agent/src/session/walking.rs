//! Which walker takes Java stacks.
//!
//! # Safety
//! Calls into the JVM with the calling thread's own environment; addresses come from the running JVM's tables.
#![allow(unsafe_code)]

#[cfg_attr(not(target_arch = "x86_64"), path = "walking/no_own.rs")]
mod own;

use jni_sys::JNIEnv;
use jprof_signal_safe::counters::Counters;
use jprof_signal_safe::walker::{AgctWalker, Failure, Outcome, Room, Walker};
use once_cell::sync::OnceCell;

use crate::allocation::Stacks;
use crate::engine::FaultHandlers;
use crate::hotspot::libjvm::Libjvm;
use crate::hotspot::version::{AgctAdvice, agct_advice};
use crate::hotspot::{Declined, JavaVersion, VmStructs};
use crate::java::JavaThreads;
use crate::options;

/// The walker in force, and what goes with it.
pub(super) struct Choice {
    pub(super) walker: &'static dyn Walker,
    /// AsyncGetCallTrace finds nothing without the ids of all methods.
    pub(super) needs_method_ids: bool,
    pub(super) fault_handlers: Option<FaultHandlers>,
    /// How stacks are taken outside of signals.
    pub(super) stacks: Stacks,
    pub(super) name: &'static str,
}

/// What is known of the JVM when the choice is made.
pub(super) struct Jvm<'a> {
    pub(super) structs: Option<&'a VmStructs>,
    pub(super) version: Option<JavaVersion>,
    /// As the JVM writes it.
    pub(super) version_text: &'a str,
    pub(super) java: Option<&'a JavaThreads>,
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only the own walker has questions to the JVM")
    )]
    pub(super) env: *mut JNIEnv,
}

/// A walker that takes no Java stacks: where neither of the others may be used.
struct NoWalker;

impl Walker for NoWalker {
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(
        &self,
        _: &jprof_signal_safe::threads::ThreadSlot,
        _: *mut std::ffi::c_void,
        _: &mut Room<'_>,
    ) -> Outcome {
        Outcome::failed(Failure::NoWalker)
    }
}

/// The walker that was asked for; AsyncGetCallTrace where the JVM's structures are not understood, unless this version is
/// known to abort in it.
///
/// Walkers are made once in a process, since a JVM does not change.
pub(super) fn choose(
    wanted: options::Walker,
    jvm: &Jvm<'_>,
    counters: &'static Counters,
) -> Choice {
    let own = match wanted {
        options::Walker::Agct => return only_agct(jvm),
        options::Walker::Vm => own::alone(jvm),
        options::Walker::Both => own::judged(jvm, counters),
    };
    let reason = match own {
        Ok(choice) => return choice,
        Err(reason) => reason,
    };
    match agct_advice(jvm.version_text) {
        AgctAdvice::Safe => {
            log::warn!("stacks are taken by AsyncGetCallTrace: {reason}");
            only_agct(jvm)
        }
        AgctAdvice::Risky { bug, .. } => {
            log::warn!(
                "no Java stacks: {reason}; AsyncGetCallTrace could end this JVM ({bug}), walker=agct uses it all the same"
            );
            none()
        }
    }
}

fn none() -> Choice {
    Choice {
        walker: &NoWalker,
        needs_method_ids: false,
        fault_handlers: None,
        stacks: Stacks::None,
        name: "none",
    }
}

fn only_agct(jvm: &Jvm<'_>) -> Choice {
    static AGCT: OnceCell<AgctWalker> = OnceCell::new();
    match AGCT.get_or_try_init(|| agct(jvm)) {
        Ok(walker) => Choice {
            walker,
            needs_method_ids: true,
            fault_handlers: None,
            // An older JVM than 26: see `agct`.
            stacks: Stacks::Asked,
            name: "agct",
        },
        Err(reason) => {
            log::warn!("no Java stacks: {reason}");
            none()
        }
    }
}

fn agct(jvm: &Jvm<'_>) -> Result<AgctWalker, Declined> {
    if let AgctAdvice::Risky { bug, effect } = agct_advice(jvm.version_text) {
        log::warn!(
            "AsyncGetCallTrace of Java {} has a rare bug ({bug}: {effect}); walker=vm does not use it",
            jvm.version_text
        );
    }
    let anchor = jvm.structs.and_then(|structs| {
        let anchor = structs.field_offset("JavaThread", "_anchor").ok()?;
        let last_java_sp = structs
            .field_offset("JavaFrameAnchor", "_last_Java_sp")
            .ok()?;
        let distance = jvm.java?.env_distance() as u64;
        Some((anchor + last_java_sp).wrapping_sub(distance).cast_signed() as isize)
    });
    if let Some(version) = jvm.version.filter(|version| !version.is_known()) {
        // JDK-8268406.
        return Err(Declined::Version(
            version.feature,
            "its method ids are no pointers",
        ));
    }
    let function = Libjvm::find()?.symbol(c"AsyncGetCallTrace")?;
    // SAFETY: the address is the running libjvm's, the distance is made of its own tables.
    Ok(unsafe { AgctWalker::new(function as *const _, anchor) })
}
