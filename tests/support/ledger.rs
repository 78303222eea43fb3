use std::fs::OpenOptions;
use std::io::Write;

/// Says that something is not tested and why, and counts it in the ledger of the test run, if there is one (see
/// `scripts/ledger.sh`).
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: end to end: {reason}");
    if let Some(ledger) = std::env::var_os("JPROF_LEDGER") {
        let line = format!("skipped\t1\tend to end: {reason}\n");
        OpenOptions::new()
            .append(true)
            .open(&ledger)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the ledger of the test run can be written");
    }
}
