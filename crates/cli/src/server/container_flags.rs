//! The flags of `meseta agent` that say what keeps containers from the machine and from each other.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::str::FromStr;

use agent::LauncherKind;
use clap::Args;
use containerizer::{Isolation, LinuxOptions};
use serde::Deserialize;

use crate::flags::{Bytes, Duration};

/// Named as Mesos' where Mesos has them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct ContainerFlags {
    /// How containers run: in control groups and namespaces (linux), or as plain processes (posix); linux if that is to be had
    #[arg(long, value_name = "LAUNCHER")]
    launcher: Option<Launcher>,
    /// Where records of containers are; in the work directory without
    #[arg(long, value_name = "DIRECTORY")]
    runtime_dir: Option<PathBuf>,
    /// What holds for containers, such as 'cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid'
    #[arg(long, default_value = "posix/cpu,posix/mem", value_name = "ISOLATORS", value_parser = parse_isolation)]
    isolation: Isolation,
    /// Below which control groups are looked for first
    #[arg(long, default_value = "/sys/fs/cgroup", value_name = "DIRECTORY")]
    cgroups_hierarchy: PathBuf,
    /// The control group below which those of containers are
    #[arg(long, default_value = "mesos", value_name = "NAME")]
    cgroups_root: String,
    /// Whether containers get no more processor time than they requested, also where there is some
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    cgroups_enable_cfs: bool,
    /// Whether the limit of memory counts what is swapped out
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    cgroups_limit_swap: bool,
    /// How long ending a container may take before it is reported; it is tried on
    #[arg(long, default_value = "1mins", value_name = "DURATION")]
    cgroups_destroy_timeout: Duration,
    /// How many processes and threads a container may have, with the isolator cgroups/pids
    #[arg(long, value_name = "COUNT")]
    cgroups_pids_limit: Option<u64>,
    /// Whether containers with revocable processors give way to others
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    revocable_cpu_low_priority: bool,
    /// Devices that containers may use beside the usual ones, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_devices)]
    allowed_devices: Option<Devices>,
    /// What of root's rights tasks have that ask for none: {"capabilities":["NET_RAW"]}
    #[arg(long, value_name = "JSON", value_parser = parse_capabilities)]
    effective_capabilities: Option<u64>,
    /// What of root's rights a task can get at most
    #[arg(long, value_name = "JSON", value_parser = parse_capabilities)]
    bounding_capabilities: Option<u64>,
    /// Where profiles of system calls are
    #[arg(long, value_name = "DIRECTORY")]
    seccomp_config_dir: Option<PathBuf>,
    /// The profile of containers that name none
    #[arg(long, value_name = "NAME", requires = "seccomp_config_dir")]
    seccomp_profile_name: Option<String>,
    /// Size of a container's own /dev/shm where it does not say
    #[arg(long, value_name = "BYTES")]
    default_container_shm_size: Option<Bytes>,
    /// Whether no container may share the machine's IPC namespace
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    disallow_sharing_agent_ipc_namespace: bool,
    /// Whether no container may share the machine's pid namespace
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    disallow_sharing_agent_pid_namespace: bool,
    /// Directories, with colons between, below which paths are made that containers want to see
    #[arg(long, value_name = "DIRECTORIES", value_delimiter = ':')]
    host_path_volume_force_creation: Vec<PathBuf>,
    /// How often the disk use of containers is looked at
    #[arg(long, default_value = "15secs", value_name = "DURATION")]
    container_disk_watch_interval: Duration,
    /// Whether a container that holds more than its disk is ended
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    enforce_container_disk_quota: bool,
    /// With the isolator disk/xfs: the numbers of projects that are there for sandboxes and volumes
    #[arg(long, default_value = "[5000-10000]", value_name = "RANGES", value_parser = parse_projects)]
    xfs_project_range: Projects,
    /// Whether a container that goes beyond the quota of its disk is ended; otherwise it cannot write any more
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    xfs_kill_containers: bool,
    /// How much more such a container may write until it is ended
    #[arg(long, default_value = "10MB", value_name = "BYTES")]
    xfs_quota_headroom: Bytes,
    /// How often it is looked which ports containers listen on
    #[arg(long, default_value = "30secs", value_name = "DURATION")]
    container_ports_watch_interval: Duration,
    /// Whether a container that listens on ports which are not its own is ended
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    enforce_container_ports: bool,
    /// The ports that are looked after, such as '[0-35000]'; all without
    #[arg(long, value_name = "RANGES", value_parser = parse_ports)]
    container_ports_isolated_range: Option<Ports>,
}

/// How containers run.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Launcher {
    Linux,
    Posix,
}

/// Lists that clap would take for many values.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Devices(Vec<String>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports(Vec<(u16, u16)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Projects(Vec<(u32, u32)>);

impl ContainerFlags {
    pub(super) fn launcher(&self) -> LauncherKind {
        match self.launcher {
            None => LauncherKind::usual(),
            Some(Launcher::Linux) => LauncherKind::Linux,
            Some(Launcher::Posix) => LauncherKind::Posix,
        }
    }

    pub(super) fn runtime_dir(&self) -> PathBuf {
        self.runtime_dir.clone().unwrap_or_default()
    }

    pub(super) fn options(&self) -> LinuxOptions {
        LinuxOptions {
            cgroups_hierarchy: self.cgroups_hierarchy.clone(),
            cgroups_root: self.cgroups_root.clone(),
            cfs: self.cgroups_enable_cfs,
            limit_swap: self.cgroups_limit_swap,
            destroy_timeout: self.cgroups_destroy_timeout.0,
            pids_limit: self.cgroups_pids_limit,
            revocable_cpus_give_way: self.revocable_cpu_low_priority,
            devices: self.allowed_devices.clone().map(|devices| devices.0).unwrap_or_default(),
            effective_capabilities: self.effective_capabilities,
            bounding_capabilities: self.bounding_capabilities,
            seccomp_config_dir: self.seccomp_config_dir.clone(),
            seccomp_profile: self.seccomp_profile_name.clone(),
            shm_size: self.default_container_shm_size.map(|size| size.0),
            forbid_sharing_ipc: self.disallow_sharing_agent_ipc_namespace,
            forbid_sharing_pids: self.disallow_sharing_agent_pid_namespace,
            host_paths_made_below: self.host_path_volume_force_creation.clone(),
            disk_interval: self.container_disk_watch_interval.0,
            enforce_disk: self.enforce_container_disk_quota,
            project_ids: self.xfs_project_range.0.clone(),
            end_beyond_quota: self.xfs_kill_containers,
            quota_headroom: self.xfs_quota_headroom.0,
            ports_interval: self.container_ports_watch_interval.0,
            enforce_ports: self.enforce_container_ports,
            isolated_ports: self.container_ports_isolated_range.clone().map(|ports| ports.0),
            ..LinuxOptions::new(self.isolation.clone(), PathBuf::new())
        }
    }
}

fn parse_isolation(text: &str) -> Result<Isolation, String> {
    Isolation::parse(text).map_err(|error| error.to_string())
}

fn parse_capabilities(text: &str) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Info {
        capabilities: Vec<String>,
    }
    let info: Info = serde_json::from_str(text)
        .map_err(|error| format!("not of the form {{\"capabilities\":[\"NET_RAW\"]}}: {error}"))?;
    let bit = |name: &String| {
        let known = containerizer::capability(name.strip_prefix("CAP_").unwrap_or(name));
        known.ok_or_else(|| format!("there is no capability '{name}'"))
    };
    info.capabilities.iter().try_fold(0, |bits, name| Ok(bits | bit(name)?))
}

/// From Mesos' form, devices by path, to the kernel's, by number.
fn parse_devices(text: &str) -> Result<Devices, String> {
    #[derive(Deserialize)]
    struct Whitelist {
        allowed_devices: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        device: Device,
        access: Access,
    }
    #[derive(Deserialize)]
    struct Device {
        path: PathBuf,
    }
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Access {
        read: bool,
        write: bool,
        mknod: bool,
    }
    let list: Whitelist = serde_json::from_str(text).map_err(|error| {
        format!(
            "not of the form {{\"allowed_devices\":[{{\"device\":{{\"path\":\"/dev/x\"}},\"access\":{{\"read\":true}}}}]}}: {error}"
        )
    })?;
    let one = |Entry { device, access }: &Entry| {
        let path = device.path.display();
        let found = std::fs::metadata(&device.path).map_err(|error| format!("device '{path}': {error}"))?;
        let kind = match found.file_type() {
            kind if kind.is_block_device() => 'b',
            kind if kind.is_char_device() => 'c',
            _ => return Err(format!("'{path}' is no device")),
        };
        let letters = [(access.read, 'r'), (access.write, 'w'), (access.mknod, 'm')];
        let access: String = letters.into_iter().filter_map(|(has, letter)| has.then_some(letter)).collect();
        if access.is_empty() {
            return Err(format!("device '{path}' is allowed no access at all"));
        }
        let number = found.rdev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        Ok(format!("{kind} {major}:{minor} {access}"))
    };
    list.allowed_devices.iter().map(one).collect::<Result<_, _>>().map(Devices)
}

fn parse_ports(text: &str) -> Result<Ports, String> {
    let fail = || format!("`{text}` is no set of ports; write it as in [0-35000] or [1-2,5-9]");
    ranges(text).map(Ports).ok_or_else(fail)
}

fn parse_projects(text: &str) -> Result<Projects, String> {
    let fail = || format!("`{text}` is no set of project ids; write it as in [5000-10000] or [1-2,5-9]");
    let ranges = ranges(text).filter(|ranges: &Vec<(u32, u32)>| !ranges.is_empty()).ok_or_else(fail)?;
    if ranges.iter().any(|(first, _)| *first == 0) {
        // What belongs to no project has this one.
        return Err("XFS project ID range contains illegal 0 value".to_owned());
    }
    Ok(Projects(merged(ranges)))
}

/// Each number once.
fn merged(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut all: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match all.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => all.push((first, last)),
        }
    }
    all
}

/// Numbers as Mesos writes resources: `[1-2,5-9]`.
fn ranges<T: FromStr + PartialOrd>(text: &str) -> Option<Vec<(T, T)>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let range = |text: &str| {
        let (first, last) = text.trim().split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    };
    inner.split(',').filter(|part| !part.trim().is_empty()).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_known_by_name() {
        assert_eq!(parse_capabilities(r#"{"capabilities":["CHOWN","NET_RAW"]}"#), Ok(1 | 1 << 13));
        assert!(
            parse_capabilities(r#"{"capabilities":["FLY"]}"#).is_err_and(|error| error.contains("'FLY'"))
        );
        assert!(parse_capabilities("[]").is_err());
    }

    #[test]
    fn devices_are_found_by_their_paths() {
        let one =
            r#"{"allowed_devices":[{"device":{"path":"/dev/null"},"access":{"read":true,"write":true}}]}"#;
        assert_eq!(parse_devices(one), Ok(Devices(vec!["c 1:3 rw".to_owned()])));
        for (wrong, reason) in [
            (one.replace("/dev/null", "/"), "no device"),
            (one.replace("true", "false"), "no access"),
            (one.replace("/dev/null", "/dev/no-such"), "No such file"),
        ] {
            assert!(parse_devices(&wrong).is_err_and(|error| error.contains(reason)), "{wrong}");
        }
    }

    #[test]
    fn projects_are_ranges_without_0() {
        assert_eq!(parse_projects("[5000-10000]"), Ok(Projects(vec![(5000, 10000)])));
        assert_eq!(parse_projects("[7-9,1-3,2-5]"), Ok(Projects(vec![(1, 5), (7, 9)])));
        for wrong in ["[0-10]", "[]", "5-6", "[7-6]", "[1-4294967296]"] {
            assert!(parse_projects(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_ranges() {
        assert_eq!(parse_ports("[0-35000]"), Ok(Ports(vec![(0, 35000)])));
        assert_eq!(parse_ports("[1-2, 5-9]"), Ok(Ports(vec![(1, 2), (5, 9)])));
        for wrong in ["1-2", "[2-1]", "[1]", "[0-70000]"] {
            assert!(parse_ports(wrong).is_err(), "{wrong}");
        }
    }
}
