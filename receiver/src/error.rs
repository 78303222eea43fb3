use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the receiver cannot start or cannot keep an upload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}{}", hint(.address, .source))]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of the uploads, or something in it, cannot be made, read or written.
    #[error("cannot use {} for the profiles", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The threads that answer requests cannot be made.
    #[error("cannot start the server")]
    Start(#[source] io::Error),
}

fn hint(address: &SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            " (is a DataKit or another receiver running? choose another port, for example {}:{})",
            address.ip(),
            address.port().wrapping_add(1).max(1024)
        ),
        io::ErrorKind::PermissionDenied => " (choose a port above 1023)".to_owned(),
        io::ErrorKind::AddrNotAvailable => " (this host has no such address)".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_comes_with_a_way_out() {
        let error = ReceiverError::Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 9529)),
            source: io::ErrorKind::AddrInUse.into(),
        };
        assert_eq!(
            error.to_string(),
            "cannot listen on 127.0.0.1:9529 (is a DataKit or another receiver running? choose another port, for example 127.0.0.1:9530)"
        );
    }
}
