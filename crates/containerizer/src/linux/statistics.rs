//! What containers use, as their control groups tell.

use std::collections::BTreeMap;
use std::time::Duration;

use base::ContainerId;

use super::Shared;
use crate::cgroups::{Controller, Group, Version, entry};
use crate::isolation::{Limit, Limits};
use crate::procs;
use crate::usage::{Block, Memory, Throttling, Usage};

impl Shared {
    pub(super) fn usage(&self) -> BTreeMap<ContainerId, Usage> {
        let running: Vec<(ContainerId, Group, Limits, Option<u64>)> = {
            let containers = self.table.lock();
            containers
                .by_id
                .iter()
                .filter(|(_, container)| container.process().is_some())
                .filter_map(|(id, container)| {
                    let group = container.group.clone()?;
                    Some((id.clone(), group, container.limits.clone(), container.disk_used))
                })
                .collect()
        };
        running
            .into_iter()
            .map(|(container_id, group, limits, disk_used)| {
                let mut usage = of(&group);
                usage.disk_used = disk_used;
                usage.disk_limit = limits.disk;
                usage.cpus_limit = match limits.cpus_limit {
                    Limit::At(limit) => Some(limit),
                    Limit::Request => limits.cpus,
                    Limit::Unlimited => None,
                };
                (container_id, usage)
            })
            .collect()
    }
}

fn of(group: &Group) -> Usage {
    let mut usage = Usage::default();
    let processes = group.processes();
    usage.processes = u32::try_from(processes.len()).unwrap_or(u32::MAX);
    usage.threads = group.threads().and_then(|count| u32::try_from(count).ok()).unwrap_or(usage.processes);
    processor(group, &mut usage);
    if group.has(Controller::Memory) {
        memory(group, &mut usage);
    }
    if !has_processor_times(group) || !group.has(Controller::Memory) {
        from_processes(group, &processes, &mut usage);
    }
    if group.has(Controller::Blkio) {
        usage.block = blocks(group);
    }
    usage.forks_refused = group.entry(Controller::Pids, "pids.events", "max");
    usage
}

fn has_processor_times(group: &Group) -> bool {
    group.version() == Version::V2 || group.has(Controller::Cpuacct)
}

fn processor(group: &Group, usage: &mut Usage) {
    let micros = |text: &str, name| Duration::from_micros(entry(text, name).unwrap_or(0));
    match group.version() {
        Version::V1 => {
            if let Some(text) = group.read(Controller::Cpuacct, "cpuacct.stat") {
                let tick = |name| procs::ticks(entry(&text, name).unwrap_or(0));
                (usage.cpu_user, usage.cpu_system) = (tick("user"), tick("system"));
            }
            if let Some(text) = group.read(Controller::Cpu, "cpu.stat") {
                let number = |name| entry(&text, name).unwrap_or(0);
                usage.throttling = Some(Throttling {
                    periods: number("nr_periods"),
                    throttled: number("nr_throttled"),
                    time: Duration::from_nanos(number("throttled_time")),
                });
            }
        }
        Version::V2 => {
            let Some(text) = group.read(Controller::Freezer, "cpu.stat") else { return };
            (usage.cpu_user, usage.cpu_system) = (micros(&text, "user_usec"), micros(&text, "system_usec"));
            if let (Some(periods), Some(throttled)) =
                (entry(&text, "nr_periods"), entry(&text, "nr_throttled"))
            {
                let time = micros(&text, "throttled_usec");
                usage.throttling = Some(Throttling { periods, throttled, time });
            }
        }
    }
}

fn memory(group: &Group, usage: &mut Usage) {
    let controller = Controller::Memory;
    let Some(text) = group.read(controller, "memory.stat") else { return };
    let number = |name| entry(&text, name).unwrap_or(0);
    let found = group.out_of_memory();
    let common = Memory { limit: found.limit, peak: found.peak, kills: found.kills, ..Memory::default() };
    let memory = match group.version() {
        Version::V1 => {
            usage.memory_rss = number("total_rss");
            Memory {
                total: group.number(controller, "memory.usage_in_bytes").unwrap_or(0),
                cache: number("total_cache"),
                mapped_file: number("total_mapped_file"),
                swap: entry(&text, "total_swap"),
                unevictable: number("total_unevictable"),
                kernel: group.number(controller, "memory.kmem.usage_in_bytes"),
                kernel_tcp: group.number(controller, "memory.kmem.tcp.usage_in_bytes"),
                soft_limit: group.number(controller, "memory.soft_limit_in_bytes"),
                ..common
            }
        }
        Version::V2 => {
            usage.memory_rss = number("anon");
            Memory {
                total: group.number(controller, "memory.current").unwrap_or(0),
                cache: number("file"),
                mapped_file: number("file_mapped"),
                swap: group.number(controller, "memory.swap.current"),
                unevictable: number("unevictable"),
                kernel: entry(&text, "kernel"),
                kernel_tcp: entry(&text, "sock"),
                soft_limit: group.number(controller, "memory.low"),
                ..common
            }
        }
    };
    usage.memory = Some(memory);
}

/// What there is no controller for is added up from processes.
fn from_processes(group: &Group, processes: &[i32], usage: &mut Usage) {
    let page = rustix::param::page_size() as u64;
    let found: Vec<_> = processes.iter().filter_map(|pid| procs::read(*pid)).collect();
    if !has_processor_times(group) {
        usage.cpu_user = found.iter().map(|process| procs::ticks(process.user_ticks)).sum();
        usage.cpu_system = found.iter().map(|process| procs::ticks(process.system_ticks)).sum();
    }
    if !group.has(Controller::Memory) {
        usage.memory_rss = found.iter().map(|process| process.rss_pages * page).sum();
    }
}

fn blocks(group: &Group) -> Vec<Block> {
    let mut found: BTreeMap<(u32, u32), Block> = BTreeMap::new();
    match group.version() {
        Version::V1 => {
            for (file, bytes) in [
                ("blkio.throttle.io_service_bytes_recursive", true),
                ("blkio.throttle.io_serviced_recursive", false),
            ] {
                let text = group.read(Controller::Blkio, file).unwrap_or_default();
                for line in text.lines() {
                    let mut words = line.split(' ');
                    let Some(device) = words.next().and_then(device) else { continue };
                    let (kind, Some(value)) = (words.next(), words.next().and_then(|word| word.parse().ok()))
                    else {
                        continue;
                    };
                    let block = block(&mut found, device);
                    match (kind, bytes) {
                        (Some("Read"), true) => block.read_bytes = value,
                        (Some("Write"), true) => block.written_bytes = value,
                        (Some("Read"), false) => block.reads = value,
                        (Some("Write"), false) => block.writes = value,
                        _ => {}
                    }
                }
            }
        }
        Version::V2 => {
            let text = group.read(Controller::Blkio, "io.stat").unwrap_or_default();
            for line in text.lines() {
                let mut words = line.split(' ');
                let Some(device) = words.next().and_then(device) else { continue };
                let block = block(&mut found, device);
                for (name, value) in words.filter_map(|word| word.split_once('=')) {
                    let value = value.parse().unwrap_or(0);
                    match name {
                        "rbytes" => block.read_bytes = value,
                        "wbytes" => block.written_bytes = value,
                        "rios" => block.reads = value,
                        "wios" => block.writes = value,
                        _ => {}
                    }
                }
            }
        }
    }
    found.into_values().collect()
}

fn device(word: &str) -> Option<(u32, u32)> {
    let (major, minor) = word.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn block(found: &mut BTreeMap<(u32, u32), Block>, (major, minor): (u32, u32)) -> &mut Block {
    found.entry((major, minor)).or_insert(Block { major, minor, ..Block::default() })
}
