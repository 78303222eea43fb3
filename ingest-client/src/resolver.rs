//! Host names, looked up without ever blocking the uploader.
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use crate::connection::given_up;
use crate::orders::Orders;

/// How long a looked-up address serves. A failed try ends it at once, so this only bounds how long a DataKit that has
/// moved but still answers at its old address is used.
const KEPT: Duration = Duration::from_secs(300);

/// Stack of the look-up's thread: the C library's resolver and the name services it loads.
const LOOKUP_STACK_BYTES: usize = 256 * 1024;

/// Addresses that ureq takes from a resolver at most.
const MAX_ADDRESSES: usize = 16;

/// Looks names up on a thread of its own, at most one at a time, and keeps what it found for a while.
///
/// An address needs no look-up, and neither does `localhost`: RFC 6761, section 6.3, makes it the loopback.
pub(crate) struct BoundedResolver {
    orders: Arc<Orders>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    found: Option<(Vec<SocketAddr>, Instant)>,
    /// A look-up that outlived the try which began it.
    pending: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl fmt::Debug for BoundedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedResolver")
    }
}

impl BoundedResolver {
    pub(crate) fn new(orders: Arc<Orders>) -> BoundedResolver {
        BoundedResolver {
            orders,
            state: Mutex::default(),
        }
    }

    /// Forgets what was found: nobody was there.
    pub(crate) fn forget(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .found = None;
    }

    fn look_up(
        &self,
        host: &str,
        port: u16,
        timeout: &NextTimeout,
    ) -> Result<Vec<SocketAddr>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, at)) = &state.found
            && at.elapsed() < KEPT
        {
            return Ok(found.clone());
        }
        let pending = match state.pending.take() {
            Some(pending) => pending,
            None => start(host.to_owned(), port)?,
        };
        let until = Instant::now() + *timeout.after;
        loop {
            match pending.try_recv() {
                Ok(Ok(found)) => {
                    state.found = Some((found.clone(), Instant::now()));
                    return Ok(found);
                }
                Ok(Err(error)) => {
                    log::debug!("looking up {host}: {error}");
                    return Err(Error::HostNotFound);
                }
                Err(TryRecvError::Disconnected) => return Err(Error::HostNotFound),
                Err(TryRecvError::Empty) => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            let given_up = self.orders.must_give_up().then(given_up);
            if let Some(error) =
                given_up.or_else(|| left.is_zero().then_some(Error::Timeout(Timeout::Resolve)))
            {
                state.pending = Some(pending);
                return Err(error);
            }
            self.orders.attend(left.min(Duration::from_millis(5)));
        }
    }
}

fn start(host: String, port: u16) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (found, pending) = bounded(1);
    thread::Builder::new()
        .name("jprof-dns".to_owned())
        .stack_size(LOOKUP_STACK_BYTES)
        .spawn(move || {
            let result = (host.as_str(), port).to_socket_addrs();
            // Nobody may be waiting any more.
            let _ = found.send(result.map(|addresses| addresses.take(MAX_ADDRESSES).collect()));
        })?;
    Ok(pending)
}

/// The addresses that a host stands for without a look-up.
fn known(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Some(vec![address]);
    }
    host.eq_ignore_ascii_case("localhost")
        .then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

impl Resolver for BoundedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let addresses = match known(host) {
            Some(known) => known
                .into_iter()
                .map(|ip| SocketAddr::new(ip, port))
                .collect(),
            None => self.look_up(host, port, &timeout)?,
        };
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        let mut out = self.empty();
        addresses.into_iter().for_each(|address| out.push(address));
        Ok(out)
    }
}

/// Shares one resolver between ureq and its owner.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Arc<BoundedResolver>);

impl Resolver for Shared {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_need_no_look_up() {
        assert_eq!(
            known("127.0.0.2"),
            Some(vec![Ipv4Addr::new(127, 0, 0, 2).into()])
        );
        assert_eq!(known("[::1]"), Some(vec![Ipv6Addr::LOCALHOST.into()]));
        assert_eq!(
            known("LocalHost"),
            Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
        );
        assert_eq!(known("datakit-service.datakit"), None);
    }
}
