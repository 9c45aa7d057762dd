//! A data set of the hub to verified files on disk: those of its files that are asked for, and
//! no others. Never here: HTTP, the contents of the files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schema::{
    disk::{DiskError, write_whole},
    listing::in_a_line,
};

use crate::{
    FileRecord, HubError, HubId, Origin, Progress, Sources,
    cache::{self, Cache, SourceFile},
    download::{Client, Content, Repository},
    hash::hash_watched,
};

/// The names of all files of the commit that the folder holds.
const LISTING: &str = "listing.json";

/// Files of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The folder in the cache; below it the files are as in the repository.
    pub dir: PathBuf,
    /// The files that were asked for, by name.
    pub files: Vec<PathBuf>,
    /// Where they come from: `hub:datasets/org/name@commit`.
    pub revision: String,
}

/// Finds the files of `id` whose path in the repository `wanted` accepts, fetching those that
/// the cache lacks.
///
/// Once something of a revision was fetched, its commit stays: a branch is not looked up again,
/// and other files of it are taken from the same commit.
///
/// # Errors
/// [`HubError`]; [`HubError::Unavailable`] names the files that there are where none is wanted.
pub fn find_dataset(
    id: &HubId,
    wanted: &dyn Fn(&str) -> bool,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Dataset, HubError> {
    let dir = cache.dataset_dir(id);
    let _lock = cache::lock(&dir, progress)?;
    let fetched = fetch(id, wanted, &dir, sources, progress);
    let advice = || {
        format!(
            "without a network: on a machine that has one, run `hf download {} --repo-type dataset --local-dir DIR`, copy \
             the result here and give its path",
            id.id
        )
    };
    fetched.map_err(|error| match error {
        HubError::Refused { .. } | HubError::Network { .. } => HubError::Unavailable {
            what: "data set",
            name: id.id.clone(),
            attempts: vec![format!("hub: {error}")],
            advice: advice(),
        },
        other => other,
    })
}

fn fetch(
    id: &HubId,
    wanted: &dyn Fn(&str) -> bool,
    dir: &Path,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Dataset, HubError> {
    let mut repository = Repository::new(id.clone(), Content::Dataset);
    let mut client = None;
    let (mut source, names) = match known(dir)? {
        Some(known) => known,
        None => {
            let client = client.insert(Client::new(sources)?);
            let listing = client.list(&mut repository, progress)?;
            write_listing(dir, &listing.names)?;
            let (id, revision) = (id.id.clone(), id.revision.clone());
            (
                SourceFile {
                    origin: Origin::Dataset {
                        id,
                        revision,
                        commit: listing.commit,
                    },
                    files: vec![],
                },
                listing.names,
            )
        }
    };
    if let Origin::Dataset { commit, .. } = &source.origin {
        repository.commit = Some(commit.clone());
    }
    let mut chosen: Vec<&String> = names.iter().filter(|name| wanted(name)).collect();
    chosen.sort();
    if chosen.is_empty() {
        return Err(none_wanted(id, &names));
    }
    for name in &chosen {
        check_name(dir, name)?;
        if is_whole(dir, &source, name, progress)? {
            continue;
        }
        let client = match &mut client {
            Some(client) => client,
            none => none.insert(Client::new(sources)?),
        };
        let record = fetch_one(client, &mut repository, name, dir, progress)?;
        source.files.retain(|file| file.name != record.name);
        source.files.push(record);
        cache::write_source(dir, &source)?; // so that the next call resumes after this file
    }
    let files = chosen.into_iter().map(|name| dir.join(name)).collect();
    Ok(Dataset {
        dir: dir.to_owned(),
        files,
        revision: source.origin.to_string(),
    })
}

fn fetch_one(
    client: &mut Client<'_>,
    repository: &mut Repository,
    name: &str,
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<FileRecord, HubError> {
    if let Some(folder) = dir.join(name).parent() {
        fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
    }
    let found = client.fetch(repository, name, dir, progress)?;
    found.ok_or_else(|| HubError::Refused {
        url: client.url(repository, name),
        status: 404,
        advice: "the file is in the data set's list but not there; try again later, or name another revision".into(),
    })
}

/// What the folder holds, and the names of all files of its commit; none before the first file
/// is whole.
fn known(dir: &Path) -> Result<Option<(SourceFile, Vec<String>)>, HubError> {
    let path = dir.join(LISTING);
    let Some(source) = cache::read_source(dir)?.filter(|_| path.exists()) else {
        return Ok(None);
    };
    let bytes = fs::read(&path).map_err(DiskError::at("read", &path))?;
    let damaged = |e| HubError::Unusable {
        path,
        problem: format!("is damaged ({e}); delete the folder"),
    };
    Ok(Some((
        source,
        serde_json::from_slice(&bytes).map_err(damaged)?,
    )))
}

fn write_listing(dir: &Path, names: &[String]) -> Result<(), HubError> {
    let path = dir.join(LISTING);
    let unwritable = |e| HubError::Unusable {
        path: path.clone(),
        problem: format!("cannot be written as JSON: {e}"),
    };
    let text = serde_json::to_vec(names).map_err(unwritable)?;
    Ok(write_whole(&path, &text)?)
}

/// Whether the file is there as it was fetched. It is hashed whatever its size: whoever asked for
/// it reads all of it.
fn is_whole(
    dir: &Path,
    source: &SourceFile,
    name: &str,
    progress: &dyn Progress,
) -> Result<bool, HubError> {
    let Some(file) = source.files.iter().find(|file| file.name == name) else {
        return Ok(false);
    };
    let path = dir.join(name);
    if !fs::metadata(&path).is_ok_and(|found| found.len() == file.size) {
        return Ok(false);
    }
    Ok(hash_watched(&path, progress)? == file.sha256)
}

/// A list may come from anywhere: no name leads out of the folder, or onto a file that the
/// cache keeps for itself.
fn check_name(dir: &Path, name: &str) -> Result<(), HubError> {
    let is_plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0'])
    };
    let is_own = ["source.json", LISTING, ".lock"].contains(&name);
    if name.split('/').all(is_plain) && !is_own {
        return Ok(());
    }
    let problem = format!(
        "the data set names the file {name:?}, which is no path below it; it is not fetched"
    );
    Err(HubError::Unusable {
        path: dir.to_owned(),
        problem,
    })
}

fn none_wanted(id: &HubId, names: &[String]) -> HubError {
    HubError::Unavailable {
        what: "data set",
        name: id.id.clone(),
        attempts: vec![format!(
            "none of its files is one that is wanted; there is: {}",
            in_a_line(names, 20)
        )],
        advice: "name the files that you want".into(),
    }
}
