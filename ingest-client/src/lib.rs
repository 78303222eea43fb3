//! Spools sealed profiles on disk and uploads them to DataKit.
