//! Binding, accepting, and the end.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, oneshot};

use crate::ReceiverError;
use crate::guard::Guard;
use crate::limits::{CONNECTION_TIME, CONNECTIONS, HEAD_BYTES, HEAD_TIME};
use crate::routes::{self, Shared};
use crate::store::{Store, Upload};

/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Something that happened, for a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An upload was kept.
    Kept(&'a Upload),
    /// A request was refused, or an upload was not kept.
    Refused {
        /// Why, for people.
        reason: &'a str,
    },
}

/// A receiver that listens, but does not answer yet.
pub struct Receiver {
    listener: TcpListener,
    address: SocketAddr,
    store: Arc<Store>,
    folder: PathBuf,
    on_event: Box<dyn Fn(Event<'_>) + Send + Sync>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Receiver")
            .field("address", &self.address)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Listens on `address` (port 0: a free one) and opens or makes `folder`, which may hold the
    /// uploads of an earlier run.
    ///
    /// # Errors
    ///
    /// [`ReceiverError::Listen`] or [`ReceiverError::Folder`].
    pub fn bind(address: SocketAddr, folder: &Path) -> Result<Self, ReceiverError> {
        let fault = |source| ReceiverError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(fault)?;
        listener.set_nonblocking(true).map_err(fault)?;
        let bound = listener.local_addr().map_err(fault)?;
        Ok(Self {
            listener,
            address: bound,
            store: Arc::new(Store::open(folder)?),
            folder: folder.to_owned(),
            on_event: Box::new(|_| {}),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Is told of each upload and each refusal, on a thread of the receiver: keep it short.
    pub fn on_event(mut self, told: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.on_event = Box::new(told);
        self
    }

    /// The uploads in the folder, oldest first.
    ///
    /// # Errors
    ///
    /// [`ReceiverError::Folder`] when one cannot be read.
    pub fn uploads(&self) -> Result<Vec<Upload>, ReceiverError> {
        uploads(&self.store, &self.folder)
    }

    /// Answers requests until the process ends.
    ///
    /// # Errors
    ///
    /// [`ReceiverError::Start`].
    pub fn run(self) -> Result<(), ReceiverError> {
        run_until(runtime()?, self, std::future::pending())
    }

    /// Answers requests on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`ReceiverError::Start`].
    pub fn start(self) -> Result<Running, ReceiverError> {
        let runtime = runtime()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, store, folder) = (self.address, Arc::clone(&self.store), self.folder.clone());
        let thread = std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || {
                run_until(runtime, self, async {
                    // A sender that is dropped asks for the end too.
                    let _ = stopped.await;
                })
            })
            .map_err(ReceiverError::Start)?;
        Ok(Running {
            address,
            store,
            folder,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    async fn serve(self, end: impl Future<Output = ()>) -> Result<(), ReceiverError> {
        let listener =
            tokio::net::TcpListener::from_std(self.listener).map_err(ReceiverError::Start)?;
        let host_name = host_name();
        let guard = Guard::new(self.address, &host_name);
        let shared = Arc::new(Shared::new(
            self.store,
            guard,
            self.address.to_string(),
            host_name,
            self.on_event,
        ));
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                    return;
                };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&shared);
                        tokio::spawn(async move {
                            // A connection that breaks is its client's matter.
                            let _ =
                                tokio::time::timeout(CONNECTION_TIME, connection(stream, shared))
                                    .await;
                            drop(permit);
                        });
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        tokio::pin!(accept, end);
        futures_util::future::select(accept, end).await;
        Ok(())
    }
}

async fn connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(routes::answer(shared, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// A receiver that answers in the background; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    store: Arc<Store>,
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ReceiverError>>>,
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The uploads so far, oldest first.
    ///
    /// # Errors
    ///
    /// [`ReceiverError::Folder`] when one cannot be read.
    pub fn uploads(&self) -> Result<Vec<Upload>, ReceiverError> {
        uploads(&self.store, &self.folder)
    }

    /// Ends it and waits for the end. Uploads that are still coming in are dropped.
    pub fn stop(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // Its result is `Ok` or a panic that was already printed.
            let _ = thread.join();
        }
    }
}

fn uploads(store: &Store, folder: &Path) -> Result<Vec<Upload>, ReceiverError> {
    let fault = |source| ReceiverError::Folder {
        path: folder.to_owned(),
        source,
    };
    let ids = store.ids().map_err(fault)?;
    ids.iter()
        .map(|id| store.upload(id).map_err(fault))
        .collect()
}

fn run_until(
    runtime: tokio::runtime::Runtime,
    receiver: Receiver,
    end: impl Future<Output = ()>,
) -> Result<(), ReceiverError> {
    let result = runtime.block_on(receiver.serve(end));
    // A profile that is just being read is no reason to stay.
    runtime.shutdown_background();
    result
}

fn runtime() -> Result<tokio::runtime::Runtime, ReceiverError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReceiverError::Start)
}

/// The machine's name; empty when the system does not tell it.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}
