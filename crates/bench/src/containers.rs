//! Containers: many at once, by themselves and as tasks on a whole agent; one after the other; and what each costs in
//! memory; beside other runtimes that this machine has, doing the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base::ContainerId;
use clap::Args;
use containerizer::{
    Command, ContainerEvent, Isolation, LaunchSpec, Launcher, Limits, LinuxLauncher, LinuxOptions, Outputs,
    Wishes, create_sandbox,
};

use crate::report::{cores, figure, millis, percentile, seconds};
use crate::whole_agent;

const ISOLATION: &str = "cgroups/cpu,cgroups/mem,cgroups/pids,filesystem/linux,namespaces/pid,namespaces/ipc";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MEMORY: u64 = 64 << 20;
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often the statistics of all are asked for.
const POLLS: u32 = 10;

/// The workload.
#[derive(Args)]
pub(crate) struct Options {
    /// How many containers run at once.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How many are created, started and reaped one after the other.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Other runtimes to do the same with, if this machine has them.
    #[arg(long, value_delimiter = ',', default_value = "crun,runc")]
    beside: Vec<String>,
    /// Only the containers by themselves, without the tasks on a whole agent.
    #[arg(long)]
    no_agent: bool,
}

/// How long another runtime took.
struct Oci {
    times: Vec<Duration>,
    /// Whether version 2 of control groups was hidden from it; the times then include asking for them.
    hidden: bool,
}

struct Bench {
    launcher: LinuxLauncher,
    events: Receiver<ContainerEvent>,
    root: tempfile::TempDir,
}

/// Runs it and prints the figures.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let groups = format!("meseta-bench-{}", std::process::id());
    let result = measure(options, &groups).await;
    remove_groups(&groups);
    result
}

async fn measure(options: &Options, groups: &str) -> Result<()> {
    let bench = Bench::new(groups)?;
    figure(
        "workload",
        format!(
            "{} containers with `sleep` at once; {} with /bin/true, one after the other",
            options.count, options.rounds
        ),
    );
    figure("cores", cores());
    figure("control groups", format!("version {}", bench.launcher.cgroups_version()));
    figure("isolation", ISOLATION);
    bench.many(options.count)?;
    let own = bench.one_by_one(options.rounds)?;
    for runtime in &options.beside {
        match oci(runtime, options.rounds, bench.root.path()) {
            Ok(Oci { times, hidden }) => {
                let how = if hidden { ", version 1" } else { "" };
                let median = print_times(&format!("{runtime} run /bin/true{how}"), times);
                let ratio = own.as_secs_f64() / median.as_secs_f64().max(f64::MIN_POSITIVE);
                figure(&format!("meseta to {runtime}"), format!("{ratio:.2}"));
            }
            Err(error) => figure(&format!("{runtime} run /bin/true"), format!("not measured: {error:#}")),
        }
    }
    bench.launcher.shutdown();
    if !options.no_agent {
        whole_agent::run(options.count, ISOLATION, &format!("{groups}-agent"), bench.root.path()).await?;
    }
    Ok(())
}

/// The empty groups that are left when all containers are gone.
fn remove_groups(name: &str) {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([root.to_owned()]) {
        for group in [name.to_owned(), format!("{name}-agent")] {
            // Not there, or still in use where something failed.
            let _ = fs::remove_dir(hierarchy.join(group));
        }
    }
}

/// How long this thread has been on a processor.
fn on_a_processor() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}

impl Bench {
    fn new(groups: &str) -> Result<Self> {
        let root = tempfile::tempdir()?;
        let mut options = LinuxOptions::new(Isolation::parse(ISOLATION)?, root.path().join("run"));
        options.cgroups_root = groups.to_owned();
        options.pids_limit = Some(100);
        let (sender, events) = channel();
        let launcher = LinuxLauncher::new(options, Arc::new(move |event| drop(sender.send(event))))?;
        Ok(Self { launcher, events, root })
    }

    fn launch(&self, name: &str, program: &str, arguments: &[&str]) -> Result<ContainerId> {
        let sandbox = self.root.path().join("sandboxes").join(name);
        create_sandbox(&sandbox, None)?;
        let container_id = ContainerId::from(name);
        let argv = std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect();
        self.launcher.launch(LaunchSpec {
            container_id: container_id.clone(),
            command: Command::Exec { path: program.to_owned(), argv },
            sandbox,
            environment: BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]),
            user: None,
            limits: Limits { cpus: Some(0.1), memory: Some(MEMORY), ..Limits::default() },
            wishes: Wishes::default(),
            outputs: Some(Outputs::default()),
            survives: true,
        });
        Ok(container_id)
    }

    /// Waits for so many events that `wanted` takes, and returns what it made of them.
    fn collect<T>(&self, count: usize, wanted: impl Fn(ContainerEvent) -> Option<T>) -> Result<Vec<T>> {
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let event = self.events.recv_timeout(PATIENCE).context("an event of a container")?;
            if let ContainerEvent::LaunchFailed { error, .. } = &event {
                bail!("a container was not launched: {error}");
            }
            found.extend(wanted(event));
        }
        Ok(found)
    }

    fn many(&self, count: usize) -> Result<()> {
        let free = meminfo("MemAvailable")?;
        let begin = Instant::now();
        let ids = (0..count).map(|number| self.launch(&format!("many-{number}"), "sleep", &["10000"]));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let pids = self.collect(count, |event| match event {
            ContainerEvent::Launched { pid, .. } => Some(pid),
            _ => None,
        })?;
        figure(&format!("{count} containers launched in"), seconds(begin.elapsed()));
        let inits: u64 = pids.iter().filter_map(|pid| smaps(*pid, "Pss:")).sum();
        let own: u64 = pids.iter().filter_map(|pid| smaps(*pid, "Pss_Anon:")).sum();
        let per = |kib: u64| format!("{} KiB", kib / count as u64);
        figure("init, proportional", per(inits));
        figure("init, its own pages", per(own));
        figure("all told, with task and kernel", per(free.saturating_sub(meminfo("MemAvailable")?)));
        self.poll(count)?;
        let begin = Instant::now();
        for container_id in &ids {
            self.launcher.destroy(container_id);
        }
        self.collect(count, |event| matches!(event, ContainerEvent::Destroyed { .. }).then_some(()))?;
        figure(&format!("{count} containers destroyed in"), seconds(begin.elapsed()));
        ids.iter().for_each(|container_id| self.launcher.forget(container_id));
        Ok(())
    }

    /// What somebody costs who looks at all containers again and again.
    fn poll(&self, count: usize) -> Result<()> {
        let (begin, own) = (Instant::now(), on_a_processor()?);
        for _ in 0..POLLS {
            ensure!(self.launcher.usage().len() == count, "statistics of all containers");
        }
        figure("statistics of all, a poll", seconds(begin.elapsed() / POLLS));
        let share = (on_a_processor()? - own).as_secs_f64() / f64::from(POLLS);
        figure("of a processor, polled each second", format!("{:.1} %", 100.0 * share));
        Ok(())
    }

    /// The median.
    fn one_by_one(&self, rounds: usize) -> Result<Duration> {
        let mut times = Vec::with_capacity(rounds);
        for number in 0..rounds {
            let begin = Instant::now();
            let container_id = self.launch(&format!("one-{number}"), "/bin/true", &[])?;
            self.collect(1, |event| matches!(event, ContainerEvent::Exited { .. }).then_some(()))?;
            self.launcher.destroy(&container_id);
            self.collect(1, |event| matches!(event, ContainerEvent::Destroyed { .. }).then_some(()))?;
            times.push(begin.elapsed());
            self.launcher.forget(&container_id);
        }
        Ok(print_times("meseta, /bin/true", times))
    }
}

/// Prints them, and returns the median.
fn print_times(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |share| percentile(&times, share);
    figure(name, format!("median {}, p90 {}", millis(at(0.5)), millis(at(0.9))));
    at(0.5)
}

/// A line of `/proc/meminfo`, in KiB.
fn meminfo(name: &str) -> Result<u64> {
    value(&fs::read_to_string("/proc/meminfo")?, name).with_context(|| format!("{name} in /proc/meminfo"))
}

/// A line of a process' summary of its memory, in KiB.
fn smaps(pid: u32, name: &str) -> Option<u64> {
    value(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, name)
}

fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The same with an OCI runtime: `/bin/true` and what it links are all that its containers see.
fn oci(runtime: &str, rounds: usize, root: &Path) -> Result<Oci> {
    let bundle = root.join(runtime);
    file_system(&bundle.join("rootfs"))?;
    let config = format!(
        r#"{{"ociVersion": "1.0.0", "root": {{"path": "rootfs"}},
        "process": {{"user": {{"uid": 0, "gid": 0}}, "args": ["/bin/true"], "env": ["PATH={PATH}"], "cwd": "/"}},
        "mounts": [{{"destination": "/proc", "type": "proc", "source": "proc"}}],
        "linux": {{"cgroupsPath": "/meseta-bench-{runtime}",
        "namespaces": [{{"type": "pid"}}, {{"type": "mount"}}, {{"type": "ipc"}}],
        "resources": {{"memory": {{"limit": {MEMORY}}}, "cpu": {{"shares": 102}}, "pids": {{"limit": 100}}}}}}}}"#
    );
    fs::write(bundle.join("config.json"), config)?;
    let state = root.join(format!("{runtime}-state"));
    let run = |number: usize| -> Result<Duration> {
        let begin = Instant::now();
        let mut process = Process::new(runtime);
        process.arg("--root").arg(&state).args(["run", "--bundle"]).arg(&bundle);
        let output = process
            .arg(format!("bench-{number}"))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {runtime}"))?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(begin.elapsed())
    };
    if run(0).is_ok() {
        return Ok(Oci { times: (0..rounds).map(run).collect::<Result<_>>()?, hidden: false });
    }
    // Some cannot deal with both versions of control groups at once: version 2 is hidden from them.
    let script = format!(
        "for mount in $(grep ' cgroup2 ' /proc/self/mounts | cut -d' ' -f2); do umount \"$mount\" || exit; done
        i=0; while [ $i -lt {rounds} ]; do
            begin=$(date +%s%N); {runtime} --root {state} run --bundle {bundle} hidden-$i < /dev/null || exit
            echo $(($(date +%s%N) - begin)); i=$((i + 1))
        done",
        state = state.display(),
        bundle = bundle.display()
    );
    let output = Process::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let nanos = String::from_utf8(output.stdout)?;
    let times = nanos.lines().map(|line| Ok(Duration::from_nanos(line.parse()?)));
    Ok(Oci { times: times.collect::<Result<_>>()?, hidden: true })
}

/// Copies `/bin/true` and its libraries.
fn file_system(root: &Path) -> Result<()> {
    let listed = Process::new("ldd").arg("/bin/true").output().context("cannot start ldd")?;
    let listed = String::from_utf8(listed.stdout)?;
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for directory in ["proc", "dev"] {
        fs::create_dir_all(root.join(directory))?;
    }
    for path in libraries.chain(["/bin/true"]) {
        let target = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().context("a file is in a directory")?)?;
        fs::copy(path, target)?;
    }
    Ok(())
}
