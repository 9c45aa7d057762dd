//! A tiny HTTP server on 127.0.0.1 that answers as a test says and remembers what it was asked.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use sha2::{Digest, Sha256};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// How often this path was asked for before.
    pub(crate) before: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte of the range asked for.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    sent: usize,
    says_length: bool,
    /// The connection stays open until this is true.
    held: Option<Arc<AtomicBool>>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: vec![],
            sent: body.len(),
            body,
            says_length: true,
            held: None,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// Promises the body's size and SHA-256 as the hub does for large files.
    pub(crate) fn promised(self) -> Self {
        let sha256: String = Sha256::digest(&self.body)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let size = self.body.len();
        self.header("X-Linked-Etag", format!("\"{sha256}\""))
            .header("X-Linked-Size", size)
    }

    /// Only the part that the request asks for.
    pub(crate) fn ranged(mut self, request: &Request) -> Self {
        if let Some(from) = request.from() {
            let total = self.body.len();
            self.body.drain(..from);
            self.sent = self.body.len();
            self.status = 206;
            return self.header(
                "Content-Range",
                format!("bytes {from}-{}/{total}", total - 1),
            );
        }
        self
    }

    /// The answer ends with its connection, as in HTTP/1.0.
    pub(crate) fn without_length(mut self) -> Self {
        self.says_length = false;
        self
    }

    /// The rest of the body does not come, but the connection does not break before this is true.
    pub(crate) fn held(mut self, until: &Arc<AtomicBool>) -> Self {
        self.held = Some(Arc::clone(until));
        self
    }

    /// The connection breaks after so many bytes of the body.
    pub(crate) fn cut(mut self, sent: usize) -> Self {
        self.sent = sent;
        self
    }
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.expect("a connection"), &seen, &answer);
            }
        });
        Self {
            endpoint,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The requests for paths that end so.
    pub(crate) fn requests_for(&self, end: &str) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|r| r.path.ends_with(end))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            assert!(
                thread.join().is_ok() || std::thread::panicking(),
                "the server's answer panicked"
            );
        }
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut lines = reader.by_ref().lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let path = first.split(' ').nth(1).expect("a path").to_owned();
    let head = lines
        .map(|line| line.expect("a line"))
        .take_while(|line| !line.is_empty());
    let headers: HashMap<String, String> = head
        .filter_map(|l| {
            l.split_once(": ")
                .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
        })
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let mut seen = seen.lock().expect("not poisoned");
    let before = seen.iter().filter(|r| r.path == path).count();
    let request = Request {
        path,
        headers,
        body,
        before,
    };
    seen.push(request.clone());
    drop(seen);
    let reply = answer(&request);
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    if reply.says_length {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    reply
        .headers
        .iter()
        .for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    // The client may hang up early: it decides what it reads.
    let _ = stream
        .write_all((head + "\r\n").as_bytes())
        .and_then(|()| stream.write_all(&reply.body[..reply.sent]));
    if let Some(until) = &reply.held {
        wait_for(until);
    }
}

pub(crate) fn wait_for(until: &AtomicBool) {
    while !until.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
