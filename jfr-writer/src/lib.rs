//! Writes JFR chunks. Knows no JVM and no profiler.
