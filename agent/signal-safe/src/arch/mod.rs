//! What differs between processors.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{program_counter, thread_pointer};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{
    Registers, can_fault, code, displaced, guarded_call, load_u8, load_u16, load_u32, load_usize,
    program_counter, thread_pointer, tried_load,
};
