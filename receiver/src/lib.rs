//! The embedded stand-in for DataKit.
