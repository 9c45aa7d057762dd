//! A small HTTP server on 127.0.0.1 that reads whole requests, answers as a test says, many at
//! once, and remembers what it was asked. Shared by the tests of this crate and of the program.

#![allow(dead_code, unreachable_pub)] // each test program uses a part of it

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    headers: HashMap<String, String>,
    pub body: String,
    /// How many requests came before.
    pub before: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The texts in the list under `key`.
    pub fn list(&self, key: &str) -> Vec<String> {
        let body = self.json();
        body[key]
            .as_array()
            .expect("a list")
            .iter()
            .map(|text| text.as_str().expect("a text").to_owned())
            .collect()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    sent: Option<usize>,
    pause: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![],
            body: body.into(),
            sent: None,
            pause: Duration::ZERO,
        }
    }

    pub fn json(body: &Value) -> Self {
        Self::new(200, body.to_string())
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The connection breaks after half of the body.
    pub fn cut(mut self) -> Self {
        self.sent = Some(self.body.len() / 2);
        self
    }

    /// The answer comes late.
    pub fn late(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

/// A running server.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped, answer) = (Arc::clone(&requests), Arc::clone(&stop), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // A client that was killed leaves a broken connection behind: that is no
                // failure of the server.
                thread::spawn(move || stream.and_then(|stream| serve(stream, &seen, &*answer)));
            }
        });
        Self {
            url,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            thread.join().expect("the server ends");
        }
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let Some(path) = first.split(' ').nth(1) else {
        return Ok(());
    };
    assert!(first.starts_with("POST "), "{first}");
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = {
        let mut seen = seen.lock().expect("not poisoned");
        let body = String::from_utf8(body).expect("UTF-8");
        let before = seen.len();
        seen.push(Request {
            path: path.to_owned(),
            headers,
            body,
            before,
        });
        seen.last().expect("just pushed").clone()
    };
    let reply = answer(&request);
    thread::sleep(reply.pause);
    let length = reply.body.len();
    let mut head = format!(
        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {length}\r\n",
        reply.status
    );
    reply
        .headers
        .iter()
        .for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all((head + "\r\n").as_bytes())?;
    stream.write_all(&reply.body.as_bytes()[..reply.sent.unwrap_or(length)])
}

/// What every engine here makes of a line: told from the line, and from that of any other line.
pub fn translated(line: &str) -> String {
    format!("<{line}>")
}

/// DeepL's answer to these lines.
pub fn deepl(lines: &[String]) -> Reply {
    let texts = lines
        .iter()
        .map(|line| json!({"detected_source_language": "EN", "text": translated(line)}));
    Reply::json(&json!({"translations": texts.collect::<Vec<_>>()}))
}
