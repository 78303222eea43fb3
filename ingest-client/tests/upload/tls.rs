//! https, with a certificate that no public authority signed.
//!
//! `tls/certificate.pem` and `tls/key.pem` are for localhost and 127.0.0.1, valid for a hundred years:
//!
//! ```text
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out certificate.pem \
//!     -days 36500 -subj "/CN=jprof test" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
//!     -addext "basicConstraints=critical,CA:FALSE"
//! ```
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ingest_client::{FlushReport, UploadCounter};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::rig::{FOREVER, Rig, hasty, noise};
use crate::server::{Request, read_request};

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/upload/tls")
        .join(name)
}

/// Takes one connection, and what it sends when `answers`.
fn serve(answers: bool) -> (String, JoinHandle<Option<Request>>) {
    let certificate = CertificateDer::from_pem_file(pem("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pem("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(connection, stream));
        let request = read_request(&mut stream).ok()?;
        if answers {
            stream
                .get_mut()
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        } else {
            // Until the client leaves.
            let _ = read_request(&mut stream);
        }
        Some(request)
    });
    (url, thread)
}

#[test]
fn a_profile_goes_to_a_server_whose_certificate_is_named() {
    let (url, server) = serve(true);
    let mut config = hasty();
    config.trusted_certificates = Some(pem("certificate.pem"));
    let rig = Rig::start(&url, config);
    let profile = noise(1_000_000);
    rig.commit(1, &profile);
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 1, left: 0 });
    assert!(server.join().unwrap().unwrap().profile() == profile);
}

#[test]
fn a_stranger_gets_no_profile() {
    let (url, server) = serve(true);
    let rig = Rig::start(&url, hasty());
    rig.submit(1, b"x");
    rig.wait_for(UploadCounter::RetriedTls, 1);
    assert_eq!(server.join().unwrap(), None);
    assert_eq!(rig.spool.waiting(), 1);
}

#[test]
fn a_flush_cuts_off_an_encrypted_try_too() {
    let (url, server) = serve(false);
    let mut config = hasty();
    config.trusted_certificates = Some(pem("certificate.pem"));
    let rig = Rig::start(&url, config);
    rig.commit(1, b"x");
    assert_eq!(
        rig.flush(Duration::from_millis(300)),
        FlushReport { sent: 0, left: 1 }
    );
    assert_eq!(rig.count(UploadCounter::RetriedCut), 1);
    server.join().unwrap();
}
