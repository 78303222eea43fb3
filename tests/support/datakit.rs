use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jfr_analysis::{EventJson, Period};
use receiver::{Receiver, Running, Upload};

use super::{Profile, system};

/// DataKit as it should be: the embedded receiver.
pub(crate) struct DataKit {
    running: Running,
    _folder: tempfile::TempDir,
}

impl DataKit {
    pub(crate) fn start() -> DataKit {
        DataKit::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Where another server was before.
    pub(crate) fn start_on(address: SocketAddr) -> DataKit {
        let folder = tempfile::tempdir().expect("a folder");
        let receiver = Receiver::bind(address, folder.path()).expect("the address is free");
        DataKit {
            running: receiver.start().expect("a thread"),
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.local_addr())
    }

    /// The uploads so far. Each is sound: DataKit would stumble over none of them.
    pub(crate) fn uploads(&self) -> Vec<Sent> {
        let uploads = self.running.uploads().expect("the uploads can be read");
        uploads.into_iter().map(Sent::new).collect()
    }
}

/// An upload that came.
#[derive(Debug)]
pub(crate) struct Sent {
    upload: Upload,
    event: EventJson,
}

impl Sent {
    fn new(upload: Upload) -> Sent {
        assert_eq!(upload.problems, Vec::<String>::new(), "DataKit stumbles");
        let event = EventJson::parse(upload.event_json.as_deref().expect("an event part"));
        Sent {
            upload,
            event: event.expect("event.json"),
        }
    }

    pub(crate) fn event_json(&self) -> &[u8] {
        self.upload.event_json.as_deref().expect("seen before")
    }

    /// The profile part, as it came.
    pub(crate) fn path(&self) -> &Path {
        self.upload.jfr.as_deref().expect("a profile part")
    }

    pub(crate) fn profile(&self) -> Profile {
        Profile::of_file(self.path())
    }

    /// From when to when it is.
    pub(crate) fn period(&self) -> Period {
        self.event.period().expect("two times")
    }

    /// A tag, or a field of event.json.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.event.get(name)
    }
}

/// What a server does that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers every upload with this status.
    Answers(u16),
    /// Takes connections and never says a word.
    Silent,
    /// Does not even take connections: whoever connects waits.
    Dead,
}

/// A server in a mood.
pub(crate) struct Faulty {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Connections that fill a dead server's queue.
    _fillers: Vec<TcpStream>,
}

impl Faulty {
    pub(crate) fn start(mood: Mood) -> Faulty {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("no waiting in accept");
        let address = listener.local_addr().expect("an address");
        let fillers = match mood {
            Mood::Dead => fill_queue(&listener, address),
            Mood::Answers(_) | Mood::Silent => Vec::new(),
        };
        let (requests, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, ended) = (Arc::clone(&requests), Arc::clone(&over));
        let thread = thread::spawn(move || serve(&listener, mood, &counted, &ended));
        Faulty {
            address,
            requests,
            over,
            thread: Some(thread),
            _fillers: fillers,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests were read.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }
}

/// An address where nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// Connects until the kernel takes no more: it then leaves whoever connects without an answer, as a host does that is
/// gone.
fn fill_queue(listener: &TcpListener, address: SocketAddr) -> Vec<TcpStream> {
    system::shrink_queue(listener);
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let fillers: Vec<TcpStream> = std::iter::from_fn(connect).take(16).collect();
    assert!(fillers.len() < 16, "the queue of connections does not fill");
    fillers
}

fn serve(listener: &TcpListener, mood: Mood, requests: &Arc<AtomicUsize>, over: &AtomicBool) {
    let mut held = Vec::new();
    while !over.load(Ordering::Acquire) {
        thread::sleep(Duration::from_millis(2));
        if mood == Mood::Dead {
            continue;
        }
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        match mood {
            Mood::Answers(status) => {
                let requests = Arc::clone(requests);
                // It ends when the client closes, at the latest when the JVM ends.
                thread::spawn(move || answer_all(&stream, status, &requests));
            }
            Mood::Silent | Mood::Dead => held.push(stream),
        }
    }
}

fn answer_all(mut stream: &TcpStream, status: u16, requests: &AtomicUsize) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if length == 0 {
            return Ok(());
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        requests.fetch_add(1, Ordering::AcqRel);
        write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n")?;
    }
}
