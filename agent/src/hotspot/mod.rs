//! What is private to HotSpot: its exported tables of structures, and what is read through them.
