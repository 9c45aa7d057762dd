//! The page served to this machine: from its own address only, read only, nothing outside of the
//! folder. A page of another site must not read it, so its name is checked as well.

use std::{
    fs::File,
    io::Cursor,
    net::{Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use schema::run_folder::RunFolder;
use tiny_http::{Header, Method, Request, Response};

use crate::{
    error::{LiveError, Result},
    view::Viewer,
};

/// How often a caller may ask to stop.
const PAUSE: Duration = Duration::from_millis(200);
/// What is served, by the endings of files.
const TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("csv", "text/csv; charset=utf-8"),
    ("md", "text/plain; charset=utf-8"),
    ("tex", "text/plain; charset=utf-8"),
    ("json", "application/json"),
    ("css", "text/css; charset=utf-8"),
];
/// Folders of a run whose files are served.
const SERVED: &str = "report";

/// Listens at this machine's own address.
pub struct Server {
    http: tiny_http::Server,
    port: u16,
    root: PathBuf,
    viewer: Viewer,
}

impl Server {
    /// For a run's or a grid's folder; port 0 is any free one.
    ///
    /// # Errors
    /// There is no run; the port is taken.
    pub fn start(folder: RunFolder, port: u16) -> Result<Self> {
        let root = folder.root().to_owned();
        let mut viewer = Viewer::new(folder);
        viewer.page()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let refused = |problem: String| LiveError::Listen {
            address: address.to_string(),
            problem,
        };
        let http =
            tiny_http::Server::http(address).map_err(|problem| refused(problem.to_string()))?;
        let bound = http.server_addr().to_ip();
        let port = bound
            .ok_or_else(|| refused("no address".to_owned()))?
            .port();
        Ok(Self {
            http,
            port,
            root,
            viewer,
        })
    }

    /// The page's address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Answers until `stop` says so.
    ///
    /// # Errors
    /// The system takes the port away.
    pub fn run(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        while !stop() {
            let asked = self.http.recv_timeout(PAUSE);
            let asked = asked.map_err(|problem| LiveError::Listen {
                address: self.address(),
                problem: problem.to_string(),
            })?;
            if let Some(request) = asked {
                self.answer(request);
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: Request) {
        let host = request
            .headers()
            .iter()
            .find(|header| header.field.equiv("Host"));
        let host = host.map_or("", |header| header.value.as_str());
        let names = [
            format!("127.0.0.1:{}", self.port),
            format!("localhost:{}", self.port),
        ];
        let path = request.url().split(['?', '#']).next().unwrap_or_default();
        let answered = match path {
            _ if !names.iter().any(|name| name == host) => {
                request.respond(text(403, "this page is for this machine"))
            }
            _ if *request.method() != Method::Get => request.respond(text(405, "only GET")),
            "/" | "/live.html" => {
                let page = self.viewer.page();
                request.respond(match page {
                    Ok(html) => typed(Response::from_string(html), TYPES[0].1),
                    Err(problem) => text(500, &problem.to_string()),
                })
            }
            path => match self.find(path) {
                Some((file, kind)) => request.respond(typed(Response::from_file(file), kind)),
                None => request.respond(text(404, "not here")),
            },
        };
        // Whoever has closed the page does not wait for it.
        if let Err(problem) = answered {
            tracing::debug!(%problem, "an answer of the live page");
        }
    }

    /// A file of a report, and its type.
    fn find(&self, path: &str) -> Option<(File, &'static str)> {
        let relative = Path::new(path.strip_prefix('/')?);
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        let is_served = relative.components().any(|part| part.as_os_str() == SERVED);
        if !relative.components().all(is_plain) || !is_served {
            return None;
        }
        // A link must not lead out of the folder either.
        let root = self.root.canonicalize().ok()?;
        let file = self.root.join(relative).canonicalize().ok()?;
        let ending = file.extension()?.to_str()?;
        let (_, kind) = TYPES.iter().find(|(known, _)| *known == ending)?;
        (file.starts_with(root) && file.is_file()).then_some(())?;
        Some((File::open(file).ok()?, kind))
    }
}

fn text(status: u16, message: &str) -> Response<Cursor<Vec<u8>>> {
    Response::from_string(format!("{message}\n")).with_status_code(status)
}

fn typed<R: std::io::Read>(response: Response<R>, kind: &str) -> Response<R> {
    let header = Header::from_bytes("Content-Type", kind);
    // The types are words of this file, which are headers.
    match header {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}
