//! The POSIX launcher: a container is a session of plain processes.
//!
//! It isolates nothing but the working directory, the environment and the user. What it promises is the life cycle:
//! starting quickly, exact exit statuses, and that nothing is left when a container was destroyed.
//!
//! | thread | what it does |
//! | --- | --- |
//! | `spawn-N` | forks and executes; they live as long as the launcher, because children die with their thread |
//! | `reap` | waits for first processes to end |
//! | `container-visit` | starts, awaits and ends commands that visit containers |
//! | `logs` | moves what containers write into their files |
//! | `sweep` | finds the processes of containers, signals and kills them |

mod enter;
mod logs;
mod reaper;
mod spawn;
mod sweep;
mod table;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::ContainerId;
use rustix::process::Signal;

use crate::isolation::Limits;
use crate::launcher::{
    ContainerEvent, EventSink, GroupSpec, Known, LaunchError, LaunchSpec, Launcher, Recovered, Status,
};
use crate::procs;
use crate::usage::Usage;
use crate::visits::{Visit, VisitDone, Visits};
use logs::Logs;
use reaper::Reaper;
use sweep::Order;
use table::Table;

/// How long the end of the launcher waits for that of its containers: one that hangs in the kernel may never end.
const DESTROY_TIMEOUT: Duration = Duration::from_secs(60);

/// How the launcher works.
#[derive(Clone, Copy, Debug)]
pub struct PosixOptions {
    /// Makes this process the one that orphans are handed to, so that none hides behind init, and reaps them. Only for
    /// a process that has no other children than containers: theirs would be reaped too.
    pub adopt_orphans: bool,
    /// How many containers are started at a time.
    pub spawn_threads: usize,
}

impl Default for PosixOptions {
    fn default() -> Self {
        Self { adopt_orphans: false, spawn_threads: 2 }
    }
}

/// Runs containers as plain processes.
pub struct PosixLauncher {
    table: Arc<Table>,
    sink: EventSink,
    reaper: Arc<Reaper>,
    logs: Arc<Logs>,
    // Both are taken when the launcher shuts down; their threads then end.
    spawn: Mutex<Option<Sender<LaunchSpec>>>,
    orders: Mutex<Option<Sender<Order>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    visits: Visits,
}

impl PosixLauncher {
    /// Starts the launcher's threads.
    ///
    /// # Errors
    /// If the system has no threads or descriptors left.
    pub fn new(options: PosixOptions, sink: EventSink) -> std::io::Result<Self> {
        if options.adopt_orphans {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        }
        crate::open_files::hide_inherited();
        crate::open_files::raise();
        let table = Arc::new(Table::default());
        let reaper = Arc::new(Reaper::new(Arc::clone(&table), Arc::clone(&sink))?);
        let logs = Arc::new(Logs::new()?);
        let (orders, order_receiver) = channel();
        let (spawn, spawn_receiver) = channel();
        let mut threads = vec![reaper::start(Arc::clone(&reaper))?, logs::start(Arc::clone(&logs))?];
        let ending =
            sweep::Ending { table: Arc::clone(&table), sink: Arc::clone(&sink), logs: Arc::clone(&logs) };
        threads.push(sweep::start(ending, options, order_receiver)?);
        let context = spawn::Context {
            table: Arc::clone(&table),
            sink: Arc::clone(&sink),
            reaper: Arc::clone(&reaper),
            logs: Arc::clone(&logs),
            orders: orders.clone(),
        };
        threads.extend(spawn::start(&context, options.spawn_threads.max(1), spawn_receiver)?);
        let visits = Visits::start(Arc::new(enter::Sessions(Arc::clone(&table))))?;
        Ok(Self {
            visits,
            table,
            sink,
            reaper,
            logs,
            spawn: Mutex::new(Some(spawn)),
            orders: Mutex::new(Some(orders)),
            threads: Mutex::new(threads),
        })
    }

    /// Kills what an earlier launcher, which was killed itself, left behind of containers with sandboxes below
    /// `directory`. Blocks until nothing is left. Returns the sandboxes of what was found.
    #[must_use]
    pub fn kill_leftovers(directory: &Path) -> Vec<String> {
        tree::kill_below(directory)
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &*lock(&self.orders) {
            // The sweeper ends only after we dropped our end.
            let _ = orders.send(order);
        }
    }
}

impl Launcher for PosixLauncher {
    fn launch(&self, spec: LaunchSpec) {
        let spawn = lock(&self.spawn);
        let Some(spawn) = &*spawn else {
            let error = LaunchError::ShuttingDown;
            return (self.sink)(ContainerEvent::LaunchFailed { container_id: spec.container_id, error });
        };
        self.table.begin(&spec.container_id, &spec.sandbox);
        // The receivers are gone only if their threads panicked, of which each launch would be told too late anyway.
        let _ = spawn.send(spec);
    }

    fn signal(&self, container_id: &ContainerId, signal: Signal) {
        self.order(Order::Signal(container_id.clone(), signal));
    }

    fn destroy(&self, container_id: &ContainerId) {
        match self.table.doom(container_id) {
            table::Doomed::Unknown => {
                (self.sink)(ContainerEvent::Destroyed { container_id: container_id.clone() });
            }
            table::Doomed::Running => self.order(Order::Destroy(container_id.clone())),
            // Whoever starts it, or was told before, will see to it.
            table::Doomed::Launching | table::Doomed::Already => {}
        }
    }

    /// Nothing is isolated: a group is nothing but a name.
    fn launch_group(&self, _spec: GroupSpec) -> Result<(), LaunchError> {
        Ok(())
    }

    fn enter(&self, visit: Visit, done: VisitDone) {
        self.visits.enter(visit, done);
    }

    fn expel(&self, number: u64) {
        self.visits.expel(number);
    }

    /// Nothing is limited.
    fn update(&self, _container_id: &ContainerId, _limits: &Limits) -> Result<(), LaunchError> {
        Ok(())
    }

    /// Containers end with the launcher that started them; what they had started was killed before.
    fn recover(&self, known: Vec<Known>) -> Recovered {
        let lost = known.into_iter().map(|known| known.container_id).collect();
        Recovered { lost, ..Recovered::default() }
    }

    fn forget(&self, _container_id: &ContainerId) {}

    fn status(&self, container_id: &ContainerId) -> Status {
        let running = self.table.get(container_id).filter(|running| !running.exited);
        let pid = running.and_then(|running| u32::try_from(running.leader).ok());
        Status { pid, cgroup: None }
    }

    fn usage(&self) -> BTreeMap<ContainerId, Usage> {
        let page = rustix::param::page_size() as u64;
        let processes = procs::scan();
        let members = tree::Members::find(&self.table.running(), &processes, &mut tree::Cookies::default());
        let mut found: BTreeMap<ContainerId, Usage> = BTreeMap::new();
        for (container_id, members) in members.by_container() {
            let mut own = Usage::default();
            for process in members.iter().filter(|process| !process.zombie) {
                own.processes += 1;
                own.threads += process.threads;
                own.cpu_user += procs::ticks(process.user_ticks);
                own.cpu_system += procs::ticks(process.system_ticks);
                own.memory_rss += process.rss_pages * page;
            }
            // It counts for those around it, too.
            let mut within = Some(container_id.as_str());
            while let Some(name) = within {
                let usage = found.entry(ContainerId::from(name)).or_default();
                usage.processes += own.processes;
                usage.threads += own.threads;
                usage.cpu_user += own.cpu_user;
                usage.cpu_system += own.cpu_system;
                usage.memory_rss += own.memory_rss;
                within = name.rsplit_once('.').map(|(around, _)| around);
            }
        }
        found
    }

    fn shutdown(&self) {
        // No new container from here on; those in the queue are still started and then killed.
        drop(lock(&self.spawn).take());
        self.visits.stop();
        for container_id in self.table.ids() {
            self.destroy(&container_id);
        }
        let threads = std::mem::take(&mut *lock(&self.threads));
        // Without its threads nothing would come of waiting: it was given up before.
        if !threads.is_empty() && !self.table.wait_until_empty_for(DESTROY_TIMEOUT) {
            tracing::error!(left = ?self.table.ids(), "containers do not end and are left behind");
            // The threads that try go on as long as this process.
            return;
        }
        drop(lock(&self.orders).take());
        self.reaper.stop();
        self.logs.stop();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the launcher had panicked");
            }
        }
    }

    /// Nothing survives.
    fn leave(&self) {
        self.shutdown();
    }
}

impl Drop for PosixLauncher {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// The lock's content also after another thread panicked: what we keep in locks is consistent after each statement.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
