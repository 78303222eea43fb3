//! A server that misbehaves as told, one connection after the other.
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use ingest_client::ProfileMetadata;
use socket2::SockRef;

/// What the server does with one connection.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Reads the request and answers: status, more header lines, text.
    Answer(u16, &'static str, String),
    /// Reads the head only, answers and closes.
    AnswerEarly(u16),
    /// Reads the head only, answers, and neither reads on nor closes.
    AnswerEarlyAndHold(u16),
    /// Reads a little of the body and resets the connection.
    ResetMidBody,
    /// Reads nothing and answers nothing.
    Accept,
    /// Reads the request and answers nothing.
    Stall,
    /// Reads the request and answers a byte at a time, without end.
    Drip,
    /// Reads the request and closes.
    Close,
    /// Reads the request and answers something that is no HTTP.
    Babble,
}

impl Act {
    pub(crate) fn status(status: u16) -> Act {
        Act::Answer(status, "", String::new())
    }
}

/// A request that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(had, _)| had.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The two parts of the body: head lines and bytes.
    pub(crate) fn parts(&self) -> [(&str, &[u8]); 2] {
        let content_type = self.header("content-type").unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let body = self
            .body
            .strip_prefix(format!("--{boundary}\r\n").as_bytes())
            .unwrap();
        let body = body
            .strip_suffix(format!("\r\n--{boundary}--\r\n").as_bytes())
            .unwrap();
        let (event, main) = split(body, format!("\r\n--{boundary}\r\n").as_bytes());
        [event, main].map(|part| {
            let (head, bytes) = split(part, b"\r\n\r\n");
            (str::from_utf8(head).unwrap(), bytes)
        })
    }

    pub(crate) fn event_json(&self) -> String {
        String::from_utf8(self.parts()[0].1.to_vec()).unwrap()
    }

    pub(crate) fn metadata(&self) -> ProfileMetadata {
        ProfileMetadata::from_event_json(&self.event_json()).unwrap()
    }

    /// The profile, unpacked.
    pub(crate) fn profile(&self) -> Vec<u8> {
        let mut profile = Vec::new();
        MultiGzDecoder::new(self.parts()[1].1)
            .read_to_end(&mut profile)
            .unwrap();
        profile
    }
}

/// What stands before and after the first `by`.
fn split<'a>(bytes: &'a [u8], by: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes
        .windows(by.len())
        .position(|window| window == by)
        .unwrap();
    (&bytes[..at], &bytes[at + by.len()..])
}

pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<Request>,
    is_over: bool,
}

impl Server {
    /// Does one act for each connection; the last one for all that follow.
    pub(crate) fn start(acts: &[Act]) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // So that a sender soon feels that nobody reads.
        SockRef::from(&listener)
            .set_recv_buffer_size(64 * 1024)
            .unwrap();
        Server::start_on(listener, acts)
    }

    pub(crate) fn start_on(listener: TcpListener, acts: &[Act]) -> Server {
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let acts = acts.to_vec();
        let shared = Arc::clone(&seen);
        let thread = thread::spawn(move || serve(&listener, &acts, &shared));
        Server {
            address,
            seen,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.lock().unwrap().is_over = true;
        // Wakes accept.
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(listener: &TcpListener, acts: &[Act], seen: &Arc<Mutex<Seen>>) {
    // Connections that stay open until the server ends.
    let mut held = Vec::new();
    let mut drips = Vec::new();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        let act = {
            let mut seen = seen.lock().unwrap();
            if seen.is_over {
                break;
            }
            seen.connections += 1;
            acts[(seen.connections - 1).min(acts.len() - 1)].clone()
        };
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        match perform(&act, &stream, &mut reader, seen) {
            // The client may have given up meanwhile.
            Err(error) => eprintln!("{act:?}: {error}"),
            Ok(()) if matches!(act, Act::Drip) => {
                let stream = stream.try_clone().unwrap();
                drips.push(thread::spawn(move || drip(stream)));
            }
            Ok(()) => {}
        }
        match act {
            Act::Accept | Act::Stall | Act::Drip | Act::AnswerEarlyAndHold(_) => held.push(stream),
            _ => drop(stream),
        }
    }
    held.iter()
        .for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    drips.into_iter().for_each(|drip| drip.join().unwrap());
}

fn perform(
    act: &Act,
    mut stream: &TcpStream,
    reader: &mut BufReader<TcpStream>,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    match act {
        Act::Accept => {}
        Act::AnswerEarly(status) | Act::AnswerEarlyAndHold(status) => {
            read_head(reader)?;
            // In one piece: a reset throws away what still waits to be sent.
            let answer = format!("HTTP/1.1 {status} Early\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes())?;
        }
        Act::ResetMidBody => {
            read_head(reader)?;
            reader.read_exact(&mut [0; 100])?;
            SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
        Act::Answer(..) | Act::Stall | Act::Drip | Act::Close | Act::Babble => {
            let request = read_request(reader)?;
            seen.lock().unwrap().requests.push(request);
            match act {
                Act::Answer(status, headers, text) => {
                    let length = text.len();
                    write!(
                        stream,
                        "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n{text}"
                    )?;
                }
                Act::Babble => stream.write_all(b"+OK this is POP3\r\n")?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn drip(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 200 OK\r\nX-Slow: "
        .iter()
        .chain(std::iter::repeat(&b'x'));
    for byte in answer {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

type Head = (String, Vec<(String, String)>);

fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let headers = lines[1..].iter().map(|line| line.split_once(": ").unwrap());
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok((lines[0].clone(), headers))
}

/// Reads a request with a Content-Length from any stream.
pub(crate) fn read_request(reader: &mut impl BufRead) -> io::Result<Request> {
    let (line, headers) = read_head(reader)?;
    let mut request = Request {
        line,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body)?;
    Ok(request)
}
