//! Who may talk to the receiver. That it listens on loopback only keeps no web page out: a page
//! can post to it from the user's own browser, and can make its own name point to 127.0.0.1 to
//! read the answers. So the name that the client used (`Host`) must be one of ours, and a request
//! made by a page (`Origin`) must come from one of our own pages.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;

/// Decides by the names that the receiver goes by.
#[derive(Debug)]
pub(crate) struct Guard {
    host_name: String,
    loopback: bool,
}

/// Why a request is refused; the text goes to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Host,
    Origin,
}

impl Refusal {
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Refusal::Host => {
                "refused: the Host of the request is not a name of this receiver; use localhost, an IP address or the machine's own name\n"
            }
            Refusal::Origin => "refused: the request comes from a web page of another origin\n",
        }
    }
}

impl Guard {
    pub(crate) fn new(listening: SocketAddr, host_name: &str) -> Self {
        Self {
            host_name: host_name.to_ascii_lowercase(),
            loopback: listening.ip().is_loopback(),
        }
    }

    /// `upload` is true for DataKit's own paths. Beyond loopback, uploads may name the receiver
    /// as they like (a service in a cluster has many names): a page cannot read their answer, and
    /// what a page posts carries its origin.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        uri: Option<&Authority>,
        upload: bool,
    ) -> Result<(), Refusal> {
        let host = single(headers, HOST.as_str()).and_then(|host| host.parse::<Authority>().ok());
        let any_name = upload && !self.loopback;
        let known = |authority: &Authority| any_name || self.is_our_name(authority);
        if !host.as_ref().is_some_and(known) || uri.is_some_and(|uri| !known(uri)) {
            return Err(Refusal::Host);
        }
        if !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let same = single(headers, ORIGIN.as_str())
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| {
                host.is_some_and(|host| {
                    self.is_our_name(&host) && origin.eq_ignore_ascii_case(host.as_str())
                })
            });
        if same { Ok(()) } else { Err(Refusal::Origin) }
    }

    fn is_our_name(&self, authority: &Authority) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            // An address cannot be pointed elsewhere; on loopback no other one reaches us.
            return !self.loopback || address.is_loopback();
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        host.eq_ignore_ascii_case("localhost")
            || (!self.host_name.is_empty() && host.eq_ignore_ascii_case(&self.host_name))
    }
}

/// The value of a header that stands there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value: &HeaderValue = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        listening: &str,
        headers: &[(&'static str, &str)],
        upload: bool,
    ) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        Guard::new(listening.parse().expect("an address"), "box").check(&map, None, upload)
    }

    const LOCAL: &str = "127.0.0.1:9529";
    const ALL: &str = "0.0.0.0:9529";

    #[test]
    fn our_own_names_pass() {
        for host in [
            "localhost:9529",
            "127.0.0.1:9529",
            "[::1]:9529",
            "LOCALHOST",
            "box:9529",
            "localhost.:9529",
        ] {
            assert_eq!(check(LOCAL, &[("host", host)], false), Ok(()), "{host}");
        }
        assert_eq!(check(ALL, &[("host", "10.1.2.3:9529")], false), Ok(()));
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        for host in [
            "evil.example:9529",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.1.2.3:9529",
            "a@localhost",
        ] {
            assert_eq!(
                check(LOCAL, &[("host", host)], false),
                Err(Refusal::Host),
                "{host}"
            );
            assert_eq!(
                check(LOCAL, &[("host", host)], true),
                Err(Refusal::Host),
                "{host}"
            );
        }
        assert_eq!(
            check(ALL, &[("host", "evil.example")], false),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn the_host_must_stand_there_once() {
        assert_eq!(check(LOCAL, &[], false), Err(Refusal::Host));
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(check(LOCAL, &twice, false), Err(Refusal::Host));
    }

    #[test]
    fn beyond_loopback_an_upload_may_use_any_name_but_no_page_may_send_it() {
        let service = ("host", "jprof.monitoring:9529");
        assert_eq!(check(ALL, &[service], true), Ok(()));
        for origin in [
            "http://jprof.monitoring:9529",
            "http://evil.example",
            "null",
        ] {
            assert_eq!(
                check(ALL, &[service, ("origin", origin)], true),
                Err(Refusal::Origin),
                "{origin}"
            );
        }
    }

    #[test]
    fn only_our_own_origin_passes() {
        let host = ("host", "localhost:9529");
        assert_eq!(
            check(LOCAL, &[host, ("origin", "http://localhost:9529")], false),
            Ok(())
        );
        for origin in [
            "http://localhost:80",
            "https://localhost:9529",
            "http://evil.example",
            "null",
            "",
        ] {
            assert_eq!(
                check(LOCAL, &[host, ("origin", origin)], true),
                Err(Refusal::Origin),
                "{origin}"
            );
        }
    }

    #[test]
    fn an_absolute_address_must_name_us_too() {
        let guard = Guard::new(LOCAL.parse().expect("an address"), "box");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let evil = Authority::from_static("evil.example");
        assert_eq!(
            guard.check(&headers, Some(&evil), false),
            Err(Refusal::Host)
        );
    }
}
