//! What containers use, as their control groups tell.
//!
//! A thousand containers are asked about every second: a file is read once, and none that says nothing new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::ContainerId;

use super::disk::volumes_used;
use super::table::{Container, Phase, parent};
use super::{LinuxOptions, Shared, quota};
use crate::cgroups::{Controller, Group, PressureGauge, Version, entry};
use crate::isolation::{Limit, Limits};
use crate::usage::{Memory, Throttling, Usage, VolumeUsage};
use crate::{machine, procs};

/// What is asked about, so that nobody waits for the table while it is.
struct Asked {
    container_id: ContainerId,
    group: Group,
    /// Others are nested in it.
    holds_others: bool,
    sandbox: PathBuf,
    limits: Limits,
    disk_used: Option<u64>,
    volumes: Vec<VolumeUsage>,
    pressure: Option<Arc<PressureGauge>>,
}

impl Asked {
    fn new(container_id: &ContainerId, container: &Container) -> Option<Self> {
        let alive = container.process().is_some() || matches!(container.phase, Phase::Group);
        Some(Self {
            container_id: container_id.clone(),
            group: container.group.clone().filter(|_| alive)?,
            holds_others: matches!(container.phase, Phase::Group),
            sandbox: container.sandbox.clone(),
            limits: container.limits.clone(),
            disk_used: container.disk_used,
            volumes: volumes_used(container),
            pressure: container.pressure.clone(),
        })
    }
}

impl Shared {
    pub(super) fn usage(&self) -> BTreeMap<ContainerId, Usage> {
        let mut asked: Vec<Asked> = {
            let containers = self.table.lock();
            containers.by_id.iter().filter_map(|(id, container)| Asked::new(id, container)).collect()
        };
        let parents: BTreeSet<ContainerId> =
            asked.iter().filter_map(|asked| parent(&asked.container_id)).collect();
        for asked in &mut asked {
            asked.holds_others |= parents.contains(&asked.container_id);
        }
        asked
            .into_iter()
            .map(|mut asked| {
                let mut usage = of(&asked, &self.options);
                if let Some(quotas) = &self.quotas {
                    let nested = parent(&asked.container_id).is_some();
                    asked.disk_used = quota::measure(quotas, &asked.sandbox).filter(|_| !nested);
                    quota::measure_volumes(quotas, &mut asked.volumes, &asked.limits);
                }
                usage.disk_used = asked.disk_used;
                usage.volumes = asked.volumes;
                limits(&asked.limits, &self.options, &mut usage);
                (asked.container_id, usage)
            })
            .collect()
    }
}

/// What it may use, as it was asked for.
fn limits(limits: &Limits, options: &LinuxOptions, usage: &mut Usage) {
    usage.cpus = limits.cpus;
    usage.cpus_limit = match limits.cpus_limit {
        Limit::At(limit) => Some(limit),
        Limit::Request => limits.cpus.filter(|_| options.cfs),
        Limit::Unlimited => machine::processors(),
    };
    usage.memory_request = limits.memory;
    usage.memory_limit = match limits.memory_limit {
        Limit::At(limit) => Some(limit),
        Limit::Request => limits.memory,
        Limit::Unlimited => machine::memory(),
    };
    usage.disk_limit = limits.disk;
}

fn of(asked: &Asked, options: &LinuxOptions) -> Usage {
    let group = &asked.group;
    let mut usage = Usage::default();
    let processes = if asked.holds_others { group.all_processes() } else { group.processes() };
    usage.processes = u32::try_from(processes.len()).unwrap_or(u32::MAX);
    let threads = group.threads(asked.holds_others).and_then(|count| u32::try_from(count).ok());
    usage.threads = threads.unwrap_or(usage.processes);
    processor(group, &mut usage);
    if group.has(Controller::Memory) {
        memory(group, options, &mut usage);
        if let (Some(memory), Some(pressure)) = (&mut usage.memory, &asked.pressure) {
            memory.pressure = Some(pressure.read());
        }
    }
    if !has_processor_times(group) || !group.has(Controller::Memory) {
        from_processes(group, &processes, &mut usage);
    }
    if group.has(Controller::Blkio) {
        usage.block = group.blocks();
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

fn memory(group: &Group, options: &LinuxOptions, usage: &mut Usage) {
    let controller = Controller::Memory;
    let Some(text) = group.read(controller, "memory.stat") else { return };
    let number = |name| entry(&text, name).unwrap_or(0);
    let found = group.out_of_memory_with(&text);
    let common = Memory { limit: found.limit, peak: found.peak, kills: found.kills, ..Memory::default() };
    let memory = match group.version() {
        Version::V1 => {
            usage.memory_rss = number("total_rss");
            Memory {
                total: group.number(controller, "memory.usage_in_bytes").unwrap_or(0),
                total_with_swap: options
                    .limit_swap
                    .then(|| group.number(controller, "memory.memsw.usage_in_bytes"))
                    .flatten(),
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
            let total = group.number(controller, "memory.current").unwrap_or(0);
            let swap = group.number(controller, "memory.swap.current");
            Memory {
                total,
                total_with_swap: options.limit_swap.then(|| total + swap.unwrap_or(0)),
                cache: number("file"),
                mapped_file: number("file_mapped"),
                swap,
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
