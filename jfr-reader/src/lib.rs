//! Reads JFR recordings, also hostile ones.
