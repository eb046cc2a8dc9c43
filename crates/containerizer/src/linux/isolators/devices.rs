//! `cgroups/devices`: the devices that everybody needs, those that the operator adds, and no others.

use crate::cgroups::{CgroupError, Cgroups, Controller, Group, Version};
use crate::launcher::LaunchError;
use crate::linux::options::LinuxOptions;

/// Making device files is harmless, using them is not: the rest is terminals, null, zero, full, random and tunnels.
const USUAL: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 5:1 rwm",
    "c 4:0 rwm",
    "c 4:1 rwm",
    "c 136:* rwm",
    "c 5:2 rwm",
    "c 10:200 rwm",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 5:0 rwm",
    "c 1:9 rwm",
    "c 1:8 rwm",
];

/// Whether devices can be kept from containers here.
pub(in crate::linux) fn check(cgroups: &Cgroups) -> Result<(), CgroupError> {
    match cgroups.version() {
        Version::V1 => Ok(()),
        Version::V2 => Err(CgroupError::Missing("devices")),
    }
}

pub(super) fn limit(options: &LinuxOptions, group: &Group) -> Result<(), LaunchError> {
    group.write(Controller::Devices, "devices.deny", "a")?;
    for device in USUAL.iter().copied().chain(options.devices.iter().map(String::as_str)) {
        group.write(Controller::Devices, "devices.allow", device)?;
    }
    Ok(())
}
