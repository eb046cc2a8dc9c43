//! What a container uses, as Mesos' `ResourceStatistics`. What is not measured is left out.

use std::time::{SystemTime, UNIX_EPOCH};

use containerizer::{Block, Transfers, Usage, VolumeUsage};
use proto::v1;
use proto::v1::cgroup_info::blkio;
use proto::v1::cgroup_info::blkio::Operation;
use resources::{Resources, Scalar};

/// From what the launcher measured; where it knows no limits, those that follow from the container's resources.
pub(super) fn statistics(used: &Usage, resources: &Resources) -> v1::ResourceStatistics {
    let requested = resources.mem().map(bytes);
    let memory = used.memory.unwrap_or_default();
    let cached = used.memory.map(|memory| memory.cache);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    v1::ResourceStatistics {
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        processes: Some(used.processes),
        threads: Some(used.threads),
        cpus_user_time_secs: Some(used.cpu_user.as_secs_f64()),
        cpus_system_time_secs: Some(used.cpu_system.as_secs_f64()),
        cpus_limit: used.cpus_limit,
        cpus_soft_limit: used.cpus.or_else(|| resources.cpus().map(Scalar::to_f64)),
        cpus_nr_periods: used.throttling.map(|throttling| count(throttling.periods)),
        cpus_nr_throttled: used.throttling.map(|throttling| count(throttling.throttled)),
        cpus_throttled_time_secs: used.throttling.map(|throttling| throttling.time.as_secs_f64()),
        mem_total_bytes: Some(used.memory.map_or(used.memory_rss, |memory| memory.total)),
        mem_total_memsw_bytes: memory.total_with_swap,
        mem_kmem_usage_bytes: memory.kernel,
        mem_kmem_tcp_usage_bytes: memory.kernel_tcp,
        mem_limit_bytes: used.memory_limit.or(requested),
        mem_soft_limit_bytes: used.memory_request.or(requested),
        mem_file_bytes: cached,
        mem_anon_bytes: Some(used.memory_rss),
        mem_cache_bytes: cached,
        mem_rss_bytes: Some(used.memory_rss),
        mem_mapped_file_bytes: used.memory.map(|memory| memory.mapped_file),
        mem_swap_bytes: memory.swap,
        mem_unevictable_bytes: used.memory.map(|memory| memory.unevictable),
        mem_low_pressure_counter: memory.pressure.map(|pressure| pressure.low),
        mem_medium_pressure_counter: memory.pressure.map(|pressure| pressure.medium),
        mem_critical_pressure_counter: memory.pressure.map(|pressure| pressure.critical),
        disk_limit_bytes: used.disk_limit.filter(|_| used.disk_used.is_some()),
        disk_used_bytes: used.disk_used,
        disk_statistics: disks(used, resources),
        blkio_statistics: blocks(&used.block),
        ..Default::default()
    }
}

/// From megabytes.
fn bytes(megabytes: Scalar) -> u64 {
    u64::try_from(megabytes.thousandths()).unwrap_or(0).saturating_mul(1 << 20) / 1000
}

/// Of each volume, and of the sandbox.
fn disks(used: &Usage, resources: &Resources) -> Vec<v1::DiskStatistics> {
    let known = if used.volumes.is_empty() { Vec::new() } else { wire::resources_to_endpoint(resources) };
    let volume = |volume: &VolumeUsage| {
        // A volume's directory has its id as its name.
        let name = volume.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let disks = known.iter().filter_map(|resource| resource.disk.as_ref());
        let disk = disks.into_iter().find(|disk| disk.persistence.as_ref().is_some_and(|own| own.id == name));
        v1::DiskStatistics {
            limit_bytes: Some(volume.limit),
            used_bytes: volume.used,
            source: disk.and_then(|disk| disk.source.clone()),
            persistence: disk.and_then(|disk| disk.persistence.clone()),
        }
    };
    let sandbox = used.disk_used.map(|_| v1::DiskStatistics {
        limit_bytes: used.disk_limit,
        used_bytes: used.disk_used,
        ..Default::default()
    });
    used.volumes.iter().map(volume).chain(sandbox).collect()
}

/// Of each device, and of all together.
fn blocks(blocks: &[Block]) -> Option<v1::cgroup_info::blkio::Statistics> {
    if blocks.is_empty() {
        return None;
    }
    let of = |device: Option<v1::device::Number>, operations: Transfers, bytes: Transfers| {
        blkio::throttling::Statistics {
            device,
            io_serviced: values(operations),
            io_service_bytes: values(bytes),
        }
    };
    let each = blocks.iter().map(|block| {
        let device =
            v1::device::Number { major_number: block.major.into(), minor_number: block.minor.into() };
        of(Some(device), block.operations, block.bytes)
    });
    let add = |sum: Transfers, one: Transfers| {
        let optional = |a: Option<u64>, b: Option<u64>| a.map_or(b, |a| Some(a + b.unwrap_or(0)));
        Transfers {
            read: sum.read + one.read,
            write: sum.write + one.write,
            discard: sum.discard + one.discard,
            sync: optional(sum.sync, one.sync),
            r#async: optional(sum.r#async, one.r#async),
        }
    };
    let none = Transfers::default();
    let operations = blocks.iter().fold(none, |sum, block| add(sum, block.operations));
    let bytes = blocks.iter().fold(none, |sum, block| add(sum, block.bytes));
    let throttling = each.chain([of(None, operations, bytes)]).collect();
    Some(blkio::Statistics { throttling, ..Default::default() })
}

fn values(transfers: Transfers) -> Vec<blkio::Value> {
    let known = [
        (Operation::Read, Some(transfers.read)),
        (Operation::Write, Some(transfers.write)),
        (Operation::Sync, transfers.sync),
        (Operation::Async, transfers.r#async),
        (Operation::Discard, Some(transfers.discard)),
        (Operation::Total, Some(transfers.total())),
    ];
    let value = |(op, value): (Operation, Option<u64>)| {
        Some(blkio::Value { op: Some(op.into()), value: Some(value?) })
    };
    known.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use containerizer::{Memory, Throttling};

    use super::*;

    fn value(used: &Usage) -> serde_json::Value {
        serde_json::json!(statistics(used, &Resources::parse("cpus:2;mem:64;disk:10").expect("resources")))
    }

    #[test]
    fn what_is_not_measured_is_left_out() {
        let mut shown = value(&Usage { processes: 1, threads: 2, memory_rss: 4096, ..Usage::default() });
        assert!(shown["timestamp"].as_f64().is_some_and(|time| time > 1e9));
        shown["timestamp"] = 0.into();
        let expected = serde_json::json!({
            "timestamp": 0, "processes": 1, "threads": 2,
            "cpus_user_time_secs": 0.0, "cpus_system_time_secs": 0.0, "cpus_soft_limit": 2.0,
            "mem_total_bytes": 4096, "mem_rss_bytes": 4096, "mem_anon_bytes": 4096,
            "mem_limit_bytes": 64 << 20, "mem_soft_limit_bytes": 64 << 20,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_measured_is_shown_under_the_names_of_mesos() {
        let memory = Memory { total: 5, cache: 2, mapped_file: 1, swap: Some(0), ..Memory::default() };
        let block = |major, read, write| Block {
            major,
            minor: 1,
            bytes: Transfers { read, write, sync: Some(1), ..Transfers::default() },
            operations: Transfers { read: 1, ..Transfers::default() },
        };
        let shown = value(&Usage {
            cpus: Some(0.5),
            cpus_limit: Some(1.0),
            throttling: Some(Throttling { periods: 3, throttled: 2, time: Duration::from_millis(1500) }),
            memory: Some(memory),
            memory_request: Some(7),
            memory_limit: Some(8),
            disk_used: Some(9),
            disk_limit: Some(10),
            volumes: vec![VolumeUsage { path: "/volumes/roles/r/v1".into(), limit: 11, used: Some(12) }],
            block: vec![block(8, 100, 200), block(9, 1, 2)],
            ..Usage::default()
        });
        for (path, expected) in [
            ("/cpus_soft_limit", 0.5),
            ("/cpus_limit", 1.0),
            ("/cpus_nr_periods", 3.0),
            ("/cpus_nr_throttled", 2.0),
            ("/cpus_throttled_time_secs", 1.5),
            ("/mem_total_bytes", 5.0),
            ("/mem_file_bytes", 2.0),
            ("/mem_cache_bytes", 2.0),
            ("/mem_mapped_file_bytes", 1.0),
            ("/mem_swap_bytes", 0.0),
            ("/mem_soft_limit_bytes", 7.0),
            ("/mem_limit_bytes", 8.0),
            ("/disk_used_bytes", 9.0),
            ("/disk_limit_bytes", 10.0),
            ("/disk_statistics/0/used_bytes", 12.0),
            ("/disk_statistics/1/used_bytes", 9.0),
            ("/blkio_statistics/throttling/0/device/major_number", 8.0),
            ("/blkio_statistics/throttling/2/io_service_bytes/0/value", 101.0),
        ] {
            assert_eq!(
                shown.pointer(path).and_then(serde_json::Value::as_f64),
                Some(expected),
                "{path}: {shown}"
            );
        }
        let total = &shown["blkio_statistics"]["throttling"][2];
        assert_eq!(total.get("device"), None);
        let last = total["io_service_bytes"].as_array().and_then(|values| values.last());
        assert_eq!(last, Some(&serde_json::json!({ "op": "TOTAL", "value": 303 })));
    }
}
