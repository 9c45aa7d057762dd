//! Memory and disk of the machine, used and left, and its processor's name. Memory and processor are
//! known on Linux only, disks on Unix.
//! Never here: what a run needs (`model::memory`).

use std::path::{Path, PathBuf};

/// Largest resident memory of this process so far, bytes; `None` where the system does not
/// report it.
pub fn peak_memory() -> Option<u64> {
    kibibytes(&read("/proc/self/status")?, "VmHWM:")
}

/// What the processor calls itself; `None` where the system does not report it.
pub fn processor() -> Option<String> {
    find_processor(&read("/proc/cpuinfo")?)
}

fn find_processor(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Bytes that this process may hold in all: what it holds already and what is left, of the
/// machine's memory and of every control group's limit around it. `None` where the system does
/// not report it.
pub fn memory_for_this_process() -> Option<u64> {
    let status = read("/proc/self/status")?;
    let own = kibibytes(&status, "RssAnon:").or_else(|| kibibytes(&status, "VmRSS:"))?;
    let machine = own + kibibytes(&read("/proc/meminfo")?, "MemAvailable:")?;
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    Some(
        group_room(Path::new("/sys/fs/cgroup"), &groups, own)
            .map_or(machine, |room| room.min(machine)),
    )
}

/// Bytes that this process may still write in a folder, which need not be there yet; `None` where
/// the system does not report it.
#[cfg(unix)]
pub fn disk_room(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let disk = folder
        .ancestors()
        .find_map(|above| rustix::fs::statvfs(above).ok())?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that this process may still write in a folder: not known here.
#[cfg(not(unix))]
pub fn disk_room(_: &Path) -> Option<u64> {
    None
}

/// The tightest limit of the control groups in `groups` (the text of `/proc/self/cgroup`) and
/// of those around them, less what other processes hold there. In a container the group's own
/// path may not be mounted; its root is then the group.
fn group_room(mount: &Path, groups: &str, own: u64) -> Option<u64> {
    let rooms = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (root, limit, used) = match controllers {
            "" => (mount.to_owned(), "memory.max", "anon "),
            all if all.split(',').any(|c| c == "memory") => {
                (mount.join("memory"), "memory.limit_in_bytes", "total_rss ")
            }
            _ => return None,
        };
        let group = root.join(path.trim_start_matches('/'));
        let around = group
            .ancestors()
            .filter(|dir| dir.starts_with(&root))
            .map(PathBuf::from);
        around.filter_map(|dir| room(&dir, limit, used, own)).min()
    });
    rooms.min()
}

fn room(dir: &Path, limit: &str, used: &str, own: u64) -> Option<u64> {
    let limit = read(dir.join(limit))?.trim().parse::<u64>().ok()?; // `max`: none
    let stat = read(dir.join("memory.stat")).unwrap_or_default();
    let held = stat
        .lines()
        .find_map(|line| line.strip_prefix(used)?.trim().parse::<u64>().ok())
        .unwrap_or(own);
    Some(limit.saturating_sub(held.saturating_sub(own)))
}

/// A file of the kernel; `None` where it does not exist, as on other systems.
fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(dir).expect("folder");
        std::fs::write(dir.join(name), text).expect("file");
    }

    #[test]
    fn the_tightest_group_counts_less_what_others_hold() {
        let mount = tempfile::tempdir().expect("folder");
        let (outer, inner) = (mount.path().join("outer"), mount.path().join("outer/inner"));
        write(&outer, "memory.max", "5000\n");
        write(&outer, "memory.stat", "anon 1500\nfile 900\n");
        write(&inner, "memory.max", "max\n");
        let groups = "1:name=systemd:/x\n0::/outer/inner\n";
        assert_eq!(group_room(mount.path(), groups, 500), Some(4000));
        write(&inner, "memory.max", "3000\n");
        assert_eq!(group_room(mount.path(), groups, 500), Some(3000));
        assert_eq!(group_room(mount.path(), "0::/elsewhere\n", 500), None);
    }

    #[test]
    fn the_first_version_of_control_groups_is_read_too() {
        let mount = tempfile::tempdir().expect("folder");
        let group = mount.path().join("memory");
        write(&group, "memory.limit_in_bytes", "7000\n");
        write(&group, "memory.stat", "rss 1\ntotal_rss 2000\n");
        let groups = "4:cpu,cpuacct:/a\n3:memory:/not/mounted\n";
        assert_eq!(group_room(mount.path(), groups, 1000), Some(6000));
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let text = "processor\t: 0\nmodel name\t: A  Processor @ 2 GHz\nmodel name\t: B\n";
        assert_eq!(find_processor(text).as_deref(), Some("A Processor @ 2 GHz"));
        assert_eq!(find_processor("CPU part\t: 0xd40\n"), None);
        assert_eq!(
            kibibytes("VmRSS:\t 12 kB\nVmHWM:\t    34 kB\n", "VmHWM:"),
            Some(34 * 1024)
        );
        assert_eq!(kibibytes("VmRSS:\t 12 kB\n", "VmHWM:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory() {
        let (peak, most) = (
            peak_memory().expect("a peak"),
            memory_for_this_process().expect("an answer"),
        );
        assert!(peak > 1 << 20 && most > 1 << 20, "{peak} {most}");
    }
}
