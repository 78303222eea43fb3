//! The embedded stand-in for DataKit.
//!
//! A [`Receiver`] answers `POST /profiling/v1/input` and `GET /v1/ping` as DataKit does, keeps
//! each upload in a folder of its own, and shows the uploads in a web page: metadata, metrics as
//! DataKit would derive them, a flame graph per kind of event, and the files as they came.
//!
//! ```no_run
//! # fn main() -> Result<(), receiver::ReceiverError> {
//! let receiver = receiver::Receiver::bind("127.0.0.1:0".parse().unwrap(), "uploads".as_ref())?;
//! let running = receiver.start()?;
//! println!("http://{}/", running.local_addr());
//! for upload in running.uploads()? {
//!     println!("{}: {} bytes", upload.id, upload.jfr_bytes);
//! }
//! running.stop();
//! # Ok(())
//! # }
//! ```
//!
//! # Safety against web pages
//!
//! Listening on loopback keeps other hosts out, not the pages in the user's own browser: the
//! `Host` and `Origin` of each request are checked, no answer may be read across origins, and the
//! content security policy allows no script but the flame graph's. See `guard.rs`.
#![forbid(unsafe_code)]

mod analysis;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod html;
mod ingest;
mod limits;
mod pages;
mod routes;
mod server;
mod store;

pub use error::ReceiverError;
pub use server::{Event, Receiver, Running};
pub use store::Upload;
