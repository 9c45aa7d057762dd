//! Requests to the hub: addresses, redirects followed by hand, what the answer's headers
//! promise.
//!
//! By hand, because a large file's size and SHA-256 are in the headers of the redirect, not
//! of the final answer, and because the token must not follow to another host. Never here:
//! bodies.

use std::{path::Path, time::Duration};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
};

use super::{Client, Failure, apart::apart};
use crate::{HubError, HubId, Progress};

const MOST_REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(5);
/// Without any byte for this long, a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a repository holds; it decides its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Model,
    Dataset,
}

/// A repository while files are fetched from it.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) id: HubId,
    content: Content,
    /// The commit of the first answer. Later requests name it, so that all files are of one
    /// commit.
    pub(crate) commit: Option<String>,
}

impl Repository {
    pub(crate) fn new(id: HubId, content: Content) -> Self {
        Self {
            id,
            content,
            commit: None,
        }
    }

    /// The address of a file.
    pub(crate) fn url(&self, endpoint: &str, name: &str) -> String {
        format!(
            "{}/resolve/{}/{}",
            self.page(endpoint),
            self.revision(),
            encode(name)
        )
    }

    /// The address of the list of its files.
    pub(super) fn listing_url(&self, endpoint: &str) -> String {
        let content = match self.content {
            Content::Model => "models",
            Content::Dataset => "datasets",
        };
        format!(
            "{endpoint}/api/{content}/{}/revision/{}",
            self.id.id,
            self.revision()
        )
    }

    /// The page that a person reads.
    fn page(&self, endpoint: &str) -> String {
        match self.content {
            Content::Model => format!("{endpoint}/{}", self.id.id),
            Content::Dataset => format!("{endpoint}/datasets/{}", self.id.id),
        }
    }

    fn revision(&self) -> String {
        self.commit
            .as_ref()
            .unwrap_or(&self.id.revision)
            .replace('/', "%2F")
    }

    pub(super) fn note_commit(&mut self, answer: &Answer) {
        if self.commit.is_none() {
            self.commit.clone_from(&answer.commit);
        }
    }
}

/// An answer with a body, and what it and the redirects before it promise.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    /// The address that was asked first, for messages.
    pub(super) url: String,
    /// Of the whole file.
    pub(super) sha256: Option<String>,
    /// Bytes of the whole file.
    pub(super) size: Option<u64>,
    pub(super) commit: Option<String>,
}

pub(crate) fn agent(endpoint: &str) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("lingualign/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE));
    let local = ["//127.0.0.1", "//localhost", "//[::1]"];
    if local.iter().any(|host| endpoint.contains(host)) {
        config = config.proxy(None); // a proxy cannot reach this machine's own servers
    }
    config.build().into()
}

/// `scheme://host:port` of an address.
pub(crate) fn origin(url: &str) -> Option<&str> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| url.starts_with(scheme))?;
    let rest = &url[scheme.len()..];
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (host > 0).then(|| &url[..scheme.len() + host])
}

impl Client<'_> {
    /// Asks for the content at `first` from byte `have` on; `None` if there is nothing.
    pub(super) fn request(
        &mut self,
        repository: &Repository,
        first: &str,
        have: u64,
        progress: &dyn Progress,
    ) -> Result<Option<Answer>, Failure> {
        let first = first.to_owned();
        let mut url = first.clone();
        let (mut sha256, mut size, mut commit) = (None, None, None);
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(&url, have, progress)?;
            let headers = response.headers();
            sha256 = sha256.or_else(|| read_sha256(headers));
            size = size.or_else(|| read_number(headers, "x-linked-size"));
            commit = commit.or_else(|| read_commit(headers));
            match response.status().as_u16() {
                200 | 206 | 416 => {
                    return Ok(Some(Answer {
                        response,
                        url: without_query(&first).to_owned(),
                        sha256,
                        size,
                        commit,
                    }));
                }
                301 | 302 | 303 | 307 | 308 => url = redirect(&url, headers)?,
                404 if !is_missing_whole(headers) => return Ok(None),
                status => return Err(self.explain(status, &first, headers, repository)),
            }
        }
        Err(Failure::Final(HubError::Network {
            url: first,
            problem: format!("more than {MOST_REDIRECTS} redirects"),
        }))
    }

    fn send(
        &mut self,
        url: &str,
        have: u64,
        progress: &dyn Progress,
    ) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        if let (Some(token), true) = (
            &self.sources.token,
            origin(url) == origin(&self.sources.endpoint),
        ) {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let answered = apart(progress, Path::new(without_query(url)), || request.call())?;
        let response = answered.map_err(|e| Failure::passing(describe(&e)))?;
        self.answered = true;
        Ok(response)
    }

    fn explain(
        &self,
        status: u16,
        url: &str,
        headers: &HeaderMap,
        repository: &Repository,
    ) -> Failure {
        let (id, page) = (&repository.id.id, repository.page(&self.sources.endpoint));
        let advice = match status {
            401 | 403 if self.sources.token.is_some() => format!(
                "the token in HF_TOKEN gives no access to `{id}`: check the spelling, accept the terms at {page} with the \
                 token's account, and let the token read gated repositories"
            ),
            401 | 403 => format!(
                "`{id}` is gated, private or does not exist: check the spelling, accept the terms at {page}, and \
                 set HF_TOKEN to an access token of your account (its settings page makes one)"
            ),
            404 => format!(
                "there is no repository `{id}` or it has no revision `{}`: check the spelling",
                repository.id.revision
            ),
            408 | 429 | 500..=599 => {
                let pause = read_number(headers, "retry-after").map(Duration::from_secs);
                let problem = format!(
                    "the server answered {status}{}",
                    if status == 429 {
                        " (too many requests)"
                    } else {
                        ""
                    }
                );
                return Failure::Passing {
                    problem,
                    pause: pause.map(|p| p.min(LONGEST_PAUSE)),
                };
            }
            _ => "this answer is not expected; is HF_ENDPOINT right?".into(),
        };
        Failure::Final(HubError::Refused {
            url: url.to_owned(),
            status,
            advice,
        })
    }
}

/// A path in an address: what is not plain in one is written as its bytes.
fn encode(path: &str) -> String {
    path.bytes()
        .fold(String::with_capacity(path.len()), |mut encoded, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                    encoded.push(byte.into())
                }
                _ => encoded += &format!("%{byte:02X}"),
            }
            encoded
        })
}

/// By this header the hub distinguishes a missing repository or revision from a missing file.
fn is_missing_whole(headers: &HeaderMap) -> bool {
    matches!(
        text(headers, "x-error-code"),
        Some("RepoNotFound" | "RevisionNotFound")
    )
}

fn redirect(url: &str, headers: &HeaderMap) -> Result<String, Failure> {
    let refuse = |problem: String| {
        Failure::Final(HubError::Network {
            url: without_query(url).to_owned(),
            problem,
        })
    };
    let place = text(headers, "location").ok_or_else(|| refuse("redirects to nowhere".into()))?;
    let next = match origin(url) {
        Some(origin) if place.starts_with('/') && !place.starts_with("//") => {
            format!("{origin}{place}")
        }
        _ => place.to_owned(),
    };
    if origin(&next).is_none() || (url.starts_with("https:") && !next.starts_with("https:")) {
        return Err(refuse(format!(
            "redirects to {}, which is not followed",
            without_query(&next)
        )));
    }
    Ok(next)
}

/// A signed address gives access to whoever reads it; its query is never shown.
pub(crate) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(super) fn read_number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

/// `bytes FIRST-LAST/TOTAL` -> (FIRST, TOTAL).
pub(super) fn read_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let (range, total) = text(headers, "content-range")?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

/// A large file's linked entity tag is its SHA-256; a small file's is a git hash of 40 digits,
/// which is left out.
fn read_sha256(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, "x-linked-etag")?
        .trim_start_matches("W/")
        .trim_matches('"')
        .to_ascii_lowercase();
    (tag.len() == 64 && is_hex(&tag)).then_some(tag)
}

fn read_commit(headers: &HeaderMap) -> Option<String> {
    let commit = text(headers, "x-repo-commit")?;
    (commit.len() == 40 && is_hex(commit)).then(|| commit.to_owned())
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host's address is not known".into(),
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        other => other.to_string(),
    }
}
