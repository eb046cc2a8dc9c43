//! What a group read from and wrote to block devices.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Controller, Group, Version};
use crate::usage::{Block, Transfers};

type Blocks = BTreeMap<(u32, u32), Block>;

impl Group {
    /// For each device that it used, in the order of their numbers.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let read = |file| self.read(Controller::Blkio, file).unwrap_or_default();
        let mut found = Blocks::new();
        match self.version() {
            Version::V1 => {
                take_v1(&read("blkio.throttle.io_service_bytes_recursive"), &mut found, |block| {
                    &mut block.bytes
                });
                take_v1(&read("blkio.throttle.io_serviced_recursive"), &mut found, |block| {
                    &mut block.operations
                });
            }
            Version::V2 => take_v2(&read("io.stat"), &mut found),
        }
        found.into_values().collect()
    }
}

/// In version 1 newer kernels count nothing on a device until somebody has ever limited it: a limit that is none is set
/// in the agent's root group. Devices that come later are not counted.
pub(super) fn begin_counting(root: &Path) {
    let Ok(devices) = std::fs::read_dir("/sys/block") else { return };
    for device in devices.flatten() {
        let Ok(numbers) = std::fs::read_to_string(device.path().join("dev")) else { continue };
        // Some, such as those in memory, cannot be limited.
        let path = root.join("blkio.throttle.write_bps_device");
        if let Err(error) = std::fs::write(path, format!("{} 0", numbers.trim())) {
            tracing::debug!(device = ?device.file_name(), %error, "what is done with a device is not counted");
        }
    }
}

/// Lines of device, kind and number; the last one is the sum of all devices.
fn take_v1(text: &str, found: &mut Blocks, part: impl Fn(&mut Block) -> &mut Transfers) {
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some(device) = words.next().and_then(device) else { continue };
        let (kind, Some(value)) = (words.next(), words.next().and_then(|word| word.parse().ok())) else {
            continue;
        };
        let transfers = part(block(found, device));
        match kind {
            Some("Read") => transfers.read = value,
            Some("Write") => transfers.write = value,
            Some("Discard") => transfers.discard = value,
            Some("Sync") => transfers.sync = Some(value),
            Some("Async") => transfers.r#async = Some(value),
            _ => {}
        }
    }
}

/// Lines of a device and what was done with it, each as `name=number`.
fn take_v2(text: &str, found: &mut Blocks) {
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some(device) = words.next().and_then(device) else { continue };
        let block = block(found, device);
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match name {
                "rbytes" => block.bytes.read = value,
                "wbytes" => block.bytes.write = value,
                "dbytes" => block.bytes.discard = value,
                "rios" => block.operations.read = value,
                "wios" => block.operations.write = value,
                "dios" => block.operations.discard = value,
                _ => {}
            }
        }
    }
}

fn device(word: &str) -> Option<(u32, u32)> {
    let (major, minor) = word.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn block(found: &mut Blocks, (major, minor): (u32, u32)) -> &mut Block {
    found.entry((major, minor)).or_insert(Block { major, minor, ..Block::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let mut v1 = Blocks::new();
        take_v1(
            "8:0 Read 10\n8:0 Write 20\n8:0 Sync 25\n8:0 Async 5\n8:0 Discard 1\n8:0 Total 31\nTotal 31\n",
            &mut v1,
            |block| &mut block.bytes,
        );
        take_v1("8:0 Read 2\n8:16 Write 3\nTotal 5\n", &mut v1, |block| &mut block.operations);
        let bytes = Transfers { read: 10, write: 20, discard: 1, sync: Some(25), r#async: Some(5) };
        assert_eq!(bytes.total(), 31);
        let first =
            Block { major: 8, minor: 0, bytes, operations: Transfers { read: 2, ..Transfers::default() } };
        let operations = Transfers { write: 3, ..Transfers::default() };
        let second = Block { major: 8, minor: 16, bytes: Transfers::default(), operations };
        assert_eq!(v1.into_values().collect::<Vec<_>>(), [first, second]);
        let mut v2 = Blocks::new();
        take_v2("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1 \n", &mut v2);
        let found = v2[&(254, 0)];
        assert_eq!((found.bytes.read, found.bytes.write, found.bytes.discard), (1, 2, 5));
        assert_eq!((found.operations.total(), found.bytes.sync), (13, None));
    }
}
