//! The thread that uploads.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{self, Sender};
use ingest_client::{Command, Endpoint, Spool, SpoolLimits, Uploader, UploaderConfig};

use super::SEAL_TIMEOUT;
use crate::engine;
use crate::options::{Options, Url};
use crate::threads::{Registry, current_tid};

/// Orders on their way to the uploader; a wake-up that finds the queue full is not needed.
const UPLOADER_ORDERS: usize = 16;

/// Longest time that a stopped uploader may take to end: it obeys within 50 ms.
const UPLOADER_END: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct UploaderThread {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
}

impl UploaderThread {
    /// Sends what waits, as far as the deadline allows.
    pub(super) fn flush(&self, deadline: Instant) {
        let (done, report) = channel::bounded(1);
        if self
            .commands
            .send_timeout(Command::Flush { deadline, done }, SEAL_TIMEOUT)
            .is_ok()
        {
            match report.recv_deadline(deadline) {
                Ok(report) if report.left == 0 => {
                    log::debug!("{} profiles sent at the end", report.sent);
                }
                Ok(report) => log::info!(
                    "{} profiles wait in the spool for the next start",
                    report.left
                ),
                Err(_) => log::info!("the last profiles wait in the spool for the next start"),
            }
        }
        // It ends by itself; the JVM's end does not wait for it.
        let _ = self.commands.try_send(Command::Stop);
    }

    /// Waits a moment for the end of a thread that was told to stop.
    pub(super) fn wait_for_end(&self) {
        let give_up = Instant::now() + UPLOADER_END;
        while !self.thread.is_finished() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(super) type SpoolAndOrders = (Arc<Spool>, Sender<Command>);

pub(super) fn service_of(tags: &[(String, String)]) -> String {
    tags.iter()
        .find(|(name, _)| name == "service")
        .map_or_else(String::new, |(_, value)| value.clone())
}

pub(super) fn start_uploader(
    options: &Options,
    service: String,
    registry: &'static Registry,
) -> (Option<SpoolAndOrders>, Option<UploaderThread>) {
    let Url::Base(url) = &options.url else {
        if options.file.is_none() {
            log::warn!("no profile is kept: url=none, and no file is set");
        }
        return (None, None);
    };
    let endpoint = match Endpoint::parse(url) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            log::error!("no upload: url={url}: {error}");
            return (None, None);
        }
    };
    let root = options.spool.clone().unwrap_or_else(Spool::default_root);
    let spool = match Spool::open(&root, SpoolLimits::default()) {
        Ok(spool) => Arc::new(spool),
        Err(error) => {
            log::error!("no upload: {error}");
            return (None, None);
        }
    };
    let (commands, orders) = channel::bounded(UPLOADER_ORDERS);
    let uploader = Uploader::new(Arc::clone(&spool), endpoint, uploader_config(service));
    let spawned = engine::block_all_signals(|| {
        std::thread::Builder::new()
            .name("jprof uploader".to_owned())
            .stack_size(ingest_client::UPLOADER_STACK_BYTES)
            .spawn(move || {
                registry.register_own(current_tid());
                uploader.run(orders);
            })
    });
    match spawned {
        Ok(thread) => (
            Some((spool, commands.clone())),
            Some(UploaderThread { commands, thread }),
        ),
        Err(error) => {
            log::error!("no upload: the uploader cannot start: {error}");
            (None, None)
        }
    }
}

fn uploader_config(service: String) -> UploaderConfig {
    let mut config = UploaderConfig::default();
    config.service = service;
    // OpenSSL's variable for certificates of one's own, as a private DataKit has one.
    config.trusted_certificates = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    config
}
