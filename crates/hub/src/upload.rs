//! A folder's files to a repository of the hub, in one commit: what the hub keeps as large files
//! goes to its store first, by SHA-256. Never here: what the files say.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use schema::disk::DiskError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

use crate::{
    HubError, HubId, Progress, Sources,
    download::{agent, origin, without_query},
    hash::hash_file,
    progress::check_interrupted,
};

/// Bytes of a file's beginning by which the hub decides how it keeps the file.
const SAMPLE: u64 = 512;
/// What an answer may be long.
const MOST_BYTES: u64 = 4 << 20;
/// The words of Git LFS.
const LFS: &str = "application/vnd.git-lfs+json";

/// A commit with files of a folder.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// Where to.
    pub id: &'a HubId,
    /// Where the files are.
    pub folder: &'a Path,
    /// Their names in it and in the repository.
    pub files: &'a [&'a str],
    /// Whether a repository that is made for them is seen by its owners alone.
    pub is_private: bool,
    /// The commit's title.
    pub summary: &'a str,
}

/// Makes the repository of a model if there is none, and commits the files to it; returns the
/// address of the commit. Files of other names stay.
///
/// # Errors
/// There is no token or it may not write; the hub cannot be reached or refuses; a file cannot be
/// read; an interruption, after which nothing is committed.
pub fn upload_model(
    upload: &Upload<'_>,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<String, HubError> {
    let hub = Writer::new(sources, upload.id)?;
    let files = upload
        .files
        .iter()
        .map(|name| LocalFile::read(upload.folder, name))
        .collect::<Result<Vec<_>, _>>()?;
    hub.create(upload.is_private)?;
    let large = hub.find_large(&files)?;
    let (large, plain): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| large.contains(&file.name));
    for file in &large {
        check_interrupted(progress, &file.path)?;
        progress.start(&file.name, Some(file.size));
        hub.store(file)?;
        progress.advance(file.size);
        progress.finish();
    }
    check_interrupted(progress, upload.folder)?;
    hub.commit(upload.summary, &plain, &large)
}

struct LocalFile {
    name: String,
    path: PathBuf,
    size: u64,
    sha256: String,
}

impl LocalFile {
    fn read(folder: &Path, name: &str) -> Result<Self, HubError> {
        let path = folder.join(name);
        let facts = fs::metadata(&path).map_err(DiskError::at("read", &path))?;
        Ok(Self {
            name: name.to_owned(),
            size: facts.len(),
            sha256: hash_file(&path)?,
            path,
        })
    }

    fn sample(&self) -> Result<Vec<u8>, HubError> {
        let file = File::open(&self.path).map_err(DiskError::at("read", &self.path))?;
        let mut sample = Vec::new();
        let read = file.take(SAMPLE).read_to_end(&mut sample);
        read.map_err(DiskError::at("read", &self.path))?;
        Ok(sample)
    }

    fn content(&self) -> Result<Vec<u8>, HubError> {
        Ok(fs::read(&self.path).map_err(DiskError::at("read", &self.path))?)
    }
}

/// Speaks with one repository as its owner.
struct Writer<'a> {
    agent: Agent,
    endpoint: &'a str,
    token: &'a str,
    id: &'a HubId,
}

#[derive(Deserialize)]
struct Modes {
    files: Vec<Mode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mode {
    path: String,
    upload_mode: String,
}

#[derive(Deserialize)]
struct Batch {
    objects: Vec<BatchObject>,
}

#[derive(Deserialize)]
struct BatchObject {
    #[serde(default)]
    actions: BTreeMap<String, Action>,
    error: Option<BatchError>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct BatchError {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    commit_url: String,
}

impl<'a> Writer<'a> {
    fn new(sources: &'a Sources, id: &'a HubId) -> Result<Self, HubError> {
        sources.check()?;
        let Some(token) = sources.token.as_deref().filter(|token| !token.is_empty()) else {
            return Err(sources.refuse(
                "HF_TOKEN holds no token; set it to one of your account that may write (its settings page makes one)",
            ));
        };
        Ok(Self {
            agent: agent(&sources.endpoint),
            endpoint: &sources.endpoint,
            token,
            id,
        })
    }

    /// That it exists already is what most callers find.
    fn create(&self, is_private: bool) -> Result<(), HubError> {
        let url = format!("{}/api/repos/create", self.endpoint);
        let (owner, name) = self.id.id.split_once('/').unwrap_or(("", &self.id.id));
        let wanted =
            json!({"name": name, "organization": owner, "type": "model", "private": is_private});
        let answer = self.post(&url, "application/json", wanted.to_string().as_bytes())?;
        match answer.status().as_u16() {
            200..=299 | 409 => Ok(()),
            _ => Err(self.explain(&url, answer)),
        }
    }

    /// The names of the files that the hub keeps apart as large ones.
    fn find_large(&self, files: &[LocalFile]) -> Result<Vec<String>, HubError> {
        let mut listed = Vec::new();
        for file in files {
            let sample = STANDARD.encode(file.sample()?);
            listed.push(json!({"path": file.name, "size": file.size, "sample": sample}));
        }
        let url = self.api("preupload");
        let asked = json!({"files": listed}).to_string();
        let modes: Modes = self.ask(&url, "application/json", asked.as_bytes())?;
        let large = modes
            .files
            .into_iter()
            .filter(|file| file.upload_mode == "lfs");
        Ok(large.map(|file| file.path).collect())
    }

    /// Sends a large file to the store, unless it is there.
    fn store(&self, file: &LocalFile) -> Result<(), HubError> {
        let url = format!(
            "{}/{}.git/info/lfs/objects/batch",
            self.endpoint, self.id.id
        );
        let object = json!({"oid": file.sha256, "size": file.size});
        let asked = json!({
            "operation": "upload",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "objects": [object],
        });
        let batch: Batch = self.ask(&url, LFS, asked.to_string().as_bytes())?;
        let Some(answer) = batch.objects.into_iter().next() else {
            return Err(self.unexpected(&url, "names no file"));
        };
        if let Some(error) = answer.error {
            return Err(self.unexpected(&url, &format!("refuses {}: {}", file.name, error.message)));
        }
        // Without an action the store has it.
        let Some(upload) = answer.actions.get("upload") else {
            return Ok(());
        };
        self.put(upload, file)?;
        match answer.actions.get("verify") {
            Some(verify) => {
                let answer = self.post(&verify.href, LFS, object.to_string().as_bytes())?;
                self.check(&verify.href, answer).map(drop)
            }
            None => Ok(()),
        }
    }

    /// To the store's own address, which has its own rights in it: the token stays here.
    fn put(&self, upload: &Action, file: &LocalFile) -> Result<(), HubError> {
        let content = File::open(&file.path).map_err(DiskError::at("read", &file.path))?;
        let mut request = self.agent.put(&upload.href);
        request = request.header("Content-Length", file.size.to_string());
        for (name, value) in &upload.header {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            request = request.header(name, value);
        }
        let answer = request
            .send(content)
            .map_err(|problem| self.lost(&upload.href, &problem))?;
        self.check(&upload.href, answer).map(drop)
    }

    fn commit(
        &self,
        summary: &str,
        plain: &[&LocalFile],
        large: &[&LocalFile],
    ) -> Result<String, HubError> {
        let mut lines =
            vec![json!({"key": "header", "value": {"summary": summary, "description": ""}})];
        for file in plain {
            let content = STANDARD.encode(file.content()?);
            let value = json!({"content": content, "path": file.name, "encoding": "base64"});
            lines.push(json!({"key": "file", "value": value}));
        }
        lines.extend(large.iter().map(|file| {
            let value =
                json!({"path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.size});
            json!({"key": "lfsFile", "value": value})
        }));
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let url = self.api("commit");
        let done: Committed = self.ask(&url, "application/x-ndjson", body.as_bytes())?;
        Ok(done.commit_url)
    }

    fn api(&self, what: &str) -> String {
        let HubId { id, revision } = self.id;
        format!(
            "{}/api/models/{id}/{what}/{}",
            self.endpoint,
            revision.replace('/', "%2F")
        )
    }

    fn ask<T: DeserializeOwned>(&self, url: &str, kind: &str, body: &[u8]) -> Result<T, HubError> {
        let answer = self.post(url, kind, body)?;
        let text = self.check(url, answer)?;
        serde_json::from_str(&text)
            .map_err(|problem| self.unexpected(url, &format!("cannot be understood ({problem})")))
    }

    fn post(&self, url: &str, kind: &str, body: &[u8]) -> Result<Response<Body>, HubError> {
        let mut request = self.agent.post(url).header("Content-Type", kind);
        if kind == LFS {
            request = request.header("Accept", LFS);
        }
        if origin(url) == origin(self.endpoint) {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        request
            .send(body)
            .map_err(|problem| self.lost(url, &problem))
    }

    /// The text of a good answer.
    fn check(&self, url: &str, mut answer: Response<Body>) -> Result<String, HubError> {
        if !answer.status().is_success() {
            return Err(self.explain(url, answer));
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(MOST_BYTES)
            .read_to_string();
        text.map_err(|problem| self.lost(url, &problem))
    }

    fn explain(&self, url: &str, mut answer: Response<Body>) -> HubError {
        let status = answer.status().as_u16();
        let said = answer
            .body_mut()
            .with_config()
            .limit(MOST_BYTES)
            .read_to_string();
        let said: Option<Value> = said.ok().and_then(|text| serde_json::from_str(&text).ok());
        let said = said.as_ref().and_then(|said| said["error"].as_str());
        let advice = match status {
            401 | 403 => format!(
                "the token in HF_TOKEN may not write to `{}`: check the name, and let the token write",
                self.id.id
            ),
            404 => format!(
                "there is no repository `{}`, and it was not made",
                self.id.id
            ),
            429 | 500..=599 => "try again later; nothing was committed".to_owned(),
            _ => "nothing was committed; is HF_ENDPOINT right?".to_owned(),
        };
        HubError::Refused {
            url: without_query(url).to_owned(),
            status,
            advice: match said {
                Some(said) => format!("{said}; {advice}"),
                None => advice,
            },
        }
    }

    fn lost(&self, url: &str, problem: &ureq::Error) -> HubError {
        HubError::Network {
            url: without_query(url).to_owned(),
            problem: format!("{problem}; nothing was committed, run the same command again"),
        }
    }

    fn unexpected(&self, url: &str, problem: &str) -> HubError {
        HubError::Network {
            url: without_query(url).to_owned(),
            problem: format!("the answer {problem}; nothing was committed"),
        }
    }
}
