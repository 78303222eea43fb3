//! ureq's connection to the endpoint, so built that every wait is short and looks at the [`Orders`].
//!
//! Two things that ureq's own transport does not do:
//!
//! * A wait is cut into slices, and ends when a flush's deadline passes or the thread is told to stop.
//! * A server may answer before it has read the whole body, 413 above all, and then close. What is left of the body is
//!   dropped in that case, so that the answer is read and not lost behind a broken pipe.
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use crate::orders::Orders;

/// Longest time between two looks at the orders.
const SLICE: Duration = Duration::from_millis(50);

/// What a wait for a new connection begins with: on one machine it is there in microseconds.
const FIRST_CONNECT_WAIT: Duration = Duration::from_micros(200);

/// Makes connections that obey the orders.
pub(crate) struct ObedientConnector {
    pub(crate) orders: Arc<Orders>,
    /// Set when a body was not sent to its end.
    pub(crate) was_cut_short: Arc<AtomicBool>,
}

impl fmt::Debug for ObedientConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObedientConnector")
    }
}

impl Connector<()> for ObedientConnector {
    type Out = ObedientConnection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<ObedientConnection>, Error> {
        self.was_cut_short.store(false, Ordering::Relaxed);
        let wait = Wait::new(&self.orders, &details.timeout);
        let mut last = Error::HostNotFound;
        for (tried, address) in details.addrs.iter().enumerate() {
            // Half of what is left for each address but the last, which gets the rest.
            let is_last = tried + 1 == details.addrs.len();
            let share = if is_last { 1 } else { 2 };
            match connect(*address, &wait, wait.left()? / share) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Some(ObedientConnection {
                        stream,
                        buffers: LazyBuffers::new(
                            details.config.input_buffer_size(),
                            details.config.output_buffer_size(),
                        ),
                        orders: Arc::clone(&self.orders),
                        may_peek: !details.needs_tls(),
                        was_cut_short: Arc::clone(&self.was_cut_short),
                    }));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Connects without blocking, for at most `budget`.
fn connect(address: SocketAddr, wait: &Wait<'_>, budget: Duration) -> Result<TcpStream, Error> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    let until = Instant::now() + budget;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        // EINPROGRESS; std has no stable kind for it.
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            let mut pause = FIRST_CONNECT_WAIT;
            while socket.peer_addr().is_err() {
                if let Some(error) = socket.take_error()? {
                    return Err(error.into());
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Error::Timeout(Timeout::Connect));
                }
                wait.orders.attend(pause.min(left).min(wait.left()?));
                pause = (pause * 2).min(SLICE);
            }
        }
        Err(error) => return Err(error.into()),
    }
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

/// The bound of one wait: ureq's timeout and the orders.
struct Wait<'a> {
    orders: &'a Orders,
    until: Option<Instant>,
    reason: Timeout,
}

impl<'a> Wait<'a> {
    fn new(orders: &'a Orders, timeout: &NextTimeout) -> Wait<'a> {
        let after = (!timeout.after.is_not_happening()).then(|| *timeout.after);
        Wait {
            orders,
            until: after.map(|after| Instant::now() + after),
            reason: timeout.reason,
        }
    }

    /// The time left, never zero; an error once there is none.
    fn left(&self) -> Result<Duration, Error> {
        if self.orders.must_give_up() {
            return Err(given_up());
        }
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if left.is_zero() => Err(Error::Timeout(self.reason)),
            left => Ok(left
                .unwrap_or(Duration::MAX)
                .min(self.orders.time_left().unwrap_or(Duration::MAX))
                .max(Duration::from_micros(1))),
        }
    }

    fn slice(&self) -> Result<Duration, Error> {
        Ok(self.left()?.min(SLICE))
    }
}

/// The error of a try that an order ended. [`Orders::must_give_up`] tells it from others of its kind.
pub(crate) fn given_up() -> Error {
    io::Error::new(io::ErrorKind::TimedOut, "given up on order").into()
}

/// One connection.
pub(crate) struct ObedientConnection {
    stream: TcpStream,
    buffers: LazyBuffers,
    orders: Arc<Orders>,
    /// Bytes that come in while we send are the answer. Not so under TLS, which has messages of its own.
    may_peek: bool,
    was_cut_short: Arc<AtomicBool>,
}

impl fmt::Debug for ObedientConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObedientConnection({:?})", self.stream.peer_addr().ok())
    }
}

impl ObedientConnection {
    fn has_answer(&self) -> bool {
        self.may_peek && self.stream.set_nonblocking(true).is_ok() && {
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false).is_ok() && peeked.is_ok_and(|bytes| bytes > 0)
        }
    }
}

impl Transport for ObedientConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let orders = Arc::clone(&self.orders);
        let wait = Wait::new(&orders, &timeout);
        let mut sent = 0;
        while sent < amount && !self.was_cut_short.load(Ordering::Relaxed) {
            self.stream.set_write_timeout(Some(wait.slice()?))?;
            match (&self.stream).write(&self.buffers.output()[sent..amount]) {
                Ok(bytes) => sent += bytes,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        if self.has_answer() {
                            self.was_cut_short.store(true, Ordering::Relaxed);
                        }
                    }
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        self.was_cut_short.store(true, Ordering::Relaxed);
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let orders = Arc::clone(&self.orders);
        let wait = Wait::new(&orders, &timeout);
        loop {
            self.stream.set_read_timeout(Some(wait.slice()?))?;
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(bytes) => {
                    self.buffers.input_appended(bytes);
                    return Ok(bytes > 0);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted
                    | io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Each upload has a connection of its own.
        false
    }
}
