//! Names of the one-frame stacks that no walk gives.

/// The agent's own threads.
pub(super) const OWN_THREAD: &str = "[jprof]";
/// What a thread used between its last sample and its end.
pub(super) const THREAD_END: &str = "[thread_end]";
/// CPU time of a thread that gets no ticks.
pub(super) const UNSAMPLED: &str = "[unsampled]";

/// Beginnings of the names that HotSpot 8 to 25 gives its own threads (`set_name` in its sources;
/// the kernel keeps 15 bytes of them).
const VM_THREADS: &[(&str, &str)] = &[
    ("C2 Compiler", "[C2 compiler]"),
    ("C1 Compiler", "[C1 compiler]"),
    ("JVMCI", "[JVMCI compiler]"),
    ("GC Thread#", "[GC]"),
    ("G1 ", "[GC]"),
    ("Gang worker#", "[GC]"),
    ("GC task thread#", "[GC]"),
    ("Concurrent Mark", "[GC]"),
    ("ParGC Thread", "[GC]"),
    ("Shenandoah", "[GC]"),
    ("ZWorker", "[GC]"),
    ("ZDriver", "[GC]"),
    ("ZDirector", "[GC]"),
    ("ZStat", "[GC]"),
    ("ZUncommitter", "[GC]"),
    ("ZUnmapper", "[GC]"),
    ("XWorker", "[GC]"),
    ("XDriver", "[GC]"),
    ("XDirector", "[GC]"),
    ("RuntimeWorker#", "[GC]"),
    ("VM Thread", "[VM]"),
    ("VM Periodic", "[VM]"),
    ("Sweeper thread", "[code sweeper]"),
    ("Monitor Deflati", "[VM]"),
    ("Service Thread", "[VM]"),
    ("Signal Dispatch", "[VM]"),
    ("Attach Listener", "[VM]"),
];

/// The frame of a VM thread, by the name that the kernel knows.
pub(super) fn of_vm_thread(native_name: &str) -> Option<&'static str> {
    VM_THREADS
        .iter()
        .find(|(prefix, _)| native_name.starts_with(prefix))
        .map(|(_, frame)| *frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vm_threads_are_told_by_the_first_fifteen_bytes_of_their_names() {
        assert_eq!(of_vm_thread("C2 CompilerThre"), Some("[C2 compiler]"));
        assert_eq!(of_vm_thread("GC Thread#0"), Some("[GC]"));
        assert_eq!(of_vm_thread("VM Periodic Tas"), Some("[VM]"));
        assert_eq!(of_vm_thread("main"), None);
        assert!(VM_THREADS.iter().all(|(prefix, _)| prefix.len() <= 15));
    }
}
