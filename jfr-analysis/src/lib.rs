//! What a JFR recording says: stacks by kind, and the metrics that DataKit derives.
