#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jprof_fuzz::run("answer", bytes));
