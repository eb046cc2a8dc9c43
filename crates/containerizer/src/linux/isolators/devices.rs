//! `cgroups/devices`: the devices that everybody needs, those that the operator adds, and no others.

use std::path::Path;

use super::device_program;
use crate::cgroups::{CgroupError, Controller, Group, Version};
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

/// Devices that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) block: bool,
    /// Any without.
    pub(super) major: Option<u32>,
    /// Any without.
    pub(super) minor: Option<u32>,
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) make: bool,
}

impl Allowed {
    /// As the kernel writes it in version 1: `c 1:3 rwm`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
        let block = match kind {
            "b" => true,
            "c" => false,
            _ => return None,
        };
        let (major, minor) = numbers.split_once(':')?;
        let number = |word: &str| if word == "*" { Some(None) } else { word.parse().ok().map(Some) };
        let (major, minor) = (number(major)?, number(minor)?);
        let whole = words.next().is_none() && access.chars().all(|letter| "rwm".contains(letter));
        let has = |letter| access.contains(letter);
        whole.then(|| Self { block, major, minor, read: has('r'), write: has('w'), make: has('m') })
    }
}

/// Whether the operator's devices are written as they are to be.
pub(in crate::linux) fn check(options: &LinuxOptions) -> Result<(), String> {
    match options.devices.iter().find(|device| Allowed::parse(device).is_none()) {
        None => Ok(()),
        Some(device) => Err(format!("device '{device}' is not of the form 'c 1:3 rwm'")),
    }
}

pub(super) fn limit(options: &LinuxOptions, group: &Group) -> Result<(), LaunchError> {
    let devices = USUAL.iter().copied().chain(options.devices.iter().map(String::as_str));
    match group.version() {
        Version::V1 => {
            group.write(Controller::Devices, "devices.deny", "a")?;
            for device in devices {
                group.write(Controller::Devices, "devices.allow", device)?;
            }
        }
        Version::V2 => {
            let allowed: Vec<Allowed> = devices.filter_map(Allowed::parse).collect();
            let directory: &Path = group.main();
            device_program::attach(&allowed, directory)
                .map_err(CgroupError::file("attach a program that limits devices to", directory))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_the_kernel_writes_them() {
        let any = Allowed { block: true, major: None, minor: None, read: false, write: false, make: true };
        assert_eq!(Allowed::parse("b *:* m"), Some(any));
        let tty = Allowed::parse("c 136:* rw").expect("sound");
        assert_eq!((tty.block, tty.major, tty.minor, tty.make), (false, Some(136), None, false));
        for wrong in ["", "a", "x 1:1 r", "c 1 r", "c 1:1", "c 1:1 q", "c a:1 r", "c 1:1 r r"] {
            assert_eq!(Allowed::parse(wrong), None, "{wrong:?}");
        }
        assert!(USUAL.iter().all(|device| Allowed::parse(device).is_some()));
    }
}
