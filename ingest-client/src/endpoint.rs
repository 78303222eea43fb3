//! Where profiles go.
use std::fmt;
use std::net::Ipv6Addr;

use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

/// Path of DataKit's profile input.
const INPUT_PATH: &str = "/profiling/v1/input";

/// Where profiles go: scheme, host, port and path of DataKit's profile input.
///
/// Its `Display` shows neither user info nor query, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

/// Why a text is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is empty.
    #[error("the url is empty: write for example http://localhost:9529")]
    Empty,
    /// There is no `http://` or `https://` in front.
    #[error("the url has no scheme: write http://{0}")]
    NoScheme(String),
    /// The scheme is another one.
    #[error("{0}:// is not supported: DataKit takes http:// or https://")]
    Scheme(String),
    /// The port is not a number from 1 to 65535.
    #[error("the url's port {0:?} is no number from 1 to 65535")]
    Port(String),
    /// There is no host, or the text is no URL for another reason.
    #[error("the url cannot be read ({0}): write for example http://localhost:9529")]
    Malformed(String),
}

impl Endpoint {
    /// Reads a URL: a base such as `http://host:9529`, to which DataKit's path is added, or a full one.
    ///
    /// A path that ends in `/` is a base too (a DataKit behind a gateway). Without a port, the scheme's own is meant,
    /// 80 or 443. User info is sent as Basic authorization; a fragment is dropped.
    ///
    /// # Errors
    /// When the text is not such a URL; the error's text says what to write.
    pub fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        let text = url.trim();
        let text = text.split('#').next().unwrap_or(text);
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        match text.split_once("://") {
            None => return Err(EndpointError::NoScheme(text.to_owned())),
            Some((scheme, _))
                if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) =>
            {
                return Err(EndpointError::Scheme(scheme.to_owned()));
            }
            Some(_) => {}
        }
        let uri: Uri = text
            .parse()
            .map_err(|reason| EndpointError::Malformed(format!("{reason}")))?;
        let authority = uri
            .authority()
            .ok_or_else(|| EndpointError::Malformed("no host".to_owned()))?;
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        if authority.host().is_empty() || host_and_port.starts_with(':') {
            return Err(EndpointError::Malformed("no host".to_owned()));
        }
        // To the parser of URLs brackets may hold anything, also what it takes for user info elsewhere.
        let host = authority.host();
        let in_brackets = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_odd = match in_brackets {
            Some(address) => address.parse::<Ipv6Addr>().is_err(),
            None => host.contains(['[', ']']),
        };
        if is_odd {
            return Err(EndpointError::Malformed(
                "no IPv6 address in brackets".to_owned(),
            ));
        }
        let port = host_and_port
            .strip_prefix(host)
            .and_then(|port| port.strip_prefix(':'));
        if let Some(port) = port
            && !port.parse::<u16>().is_ok_and(|port| port > 0)
        {
            return Err(EndpointError::Port(port.to_owned()));
        }
        let mut parts = uri.clone().into_parts();
        if uri.path().ends_with('/') {
            let base = uri.path().trim_end_matches('/');
            let query = uri
                .query()
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            let path = PathAndQuery::try_from(format!("{base}{INPUT_PATH}{query}"));
            parts.path_and_query =
                Some(path.map_err(|reason| EndpointError::Malformed(format!("{reason}")))?);
        }
        let uri = Uri::from_parts(parts)
            .map_err(|reason| EndpointError::Malformed(format!("{reason}")))?;
        Ok(Endpoint { uri })
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map(|authority| authority.as_str());
        let host_and_port = authority.unwrap_or_default().rsplit('@').next();
        write!(
            f,
            "{scheme}://{}{}",
            host_and_port.unwrap_or_default(),
            self.uri.path()
        )
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Endpoint::parse(url) {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn bases_get_the_path_and_full_paths_keep_theirs() {
        let full = "http://localhost:9529/profiling/v1/input";
        assert_eq!(shown("http://localhost:9529"), full);
        assert_eq!(shown(" http://localhost:9529/ "), full);
        assert_eq!(shown(full), full);
        assert_eq!(shown("HTTP://localhost:9529#top"), full);
        assert_eq!(
            shown("https://dk.example"),
            "https://dk.example/profiling/v1/input"
        );
        assert_eq!(
            shown("http://[::1]:9529"),
            "http://[::1]:9529/profiling/v1/input"
        );
        assert_eq!(
            shown("http://gw/datakit/"),
            "http://gw/datakit/profiling/v1/input"
        );
        assert_eq!(shown("http://gw/other/input"), "http://gw/other/input");
    }

    #[test]
    fn secrets_are_sent_but_never_shown() {
        let endpoint = Endpoint::parse("https://me:secret@dk:9529/?token=tkn").unwrap();
        assert_eq!(endpoint.to_string(), "https://dk:9529/profiling/v1/input");
        assert_eq!(
            format!("{endpoint:?}"),
            "Endpoint(https://dk:9529/profiling/v1/input)"
        );
        assert_eq!(
            endpoint.uri().to_string(),
            "https://me:secret@dk:9529/profiling/v1/input?token=tkn"
        );
    }

    #[test]
    fn what_looks_like_user_info_in_brackets_is_no_host() {
        for url in ["http://[:@1]", "https://me:secret@[:@1]:443/", "http://[a]"] {
            let error = Endpoint::parse(url).unwrap_err();
            assert!(
                matches!(error, EndpointError::Malformed(_)),
                "{url}: {error}"
            );
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        assert_eq!(
            shown(""),
            "error: the url is empty: write for example http://localhost:9529"
        );
        assert_eq!(
            shown("localhost:9529"),
            "error: the url has no scheme: write http://localhost:9529"
        );
        assert_eq!(
            shown("ftp://localhost"),
            "error: ftp:// is not supported: DataKit takes http:// or https://"
        );
        for port in ["0", "65536", "95a", ""] {
            assert_eq!(
                shown(&format!("http://localhost:{port}/x")),
                format!("error: the url's port {port:?} is no number from 1 to 65535")
            );
        }
        for bad in ["http://", "http://:9529", "http:///path", "http://a b"] {
            assert!(
                shown(bad).starts_with("error: the url cannot be read ("),
                "{bad}: {}",
                shown(bad)
            );
        }
    }
}
