//! Starting a container's first process: fork, own session, user, exec.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::process::{Resource, Signal, setrlimit};

use super::lock;
use super::logs::Logs;
use super::reaper::Reaper;
use super::sweep::Order;
use super::table::Table;
use crate::launcher::{Command, ContainerEvent, EventSink, LaunchError, LaunchSpec};
use crate::user::User;
use crate::{children, open_files, output, procs};

/// The variable by which a container's processes are found.
pub(super) const COOKIE: &str = "MESOS_SANDBOX";

#[derive(Clone)]
pub(super) struct Context {
    pub(super) table: Arc<Table>,
    pub(super) sink: EventSink,
    pub(super) reaper: Arc<Reaper>,
    pub(super) logs: Arc<Logs>,
    pub(super) orders: Sender<Order>,
}

/// Starts the threads that fork. The kernel kills a child when the *thread* that forked it ends
/// (`PR_SET_PDEATHSIG`), which is how containers end with an agent that was killed: so these live as long as it.
pub(super) fn start(
    context: &Context,
    threads: usize,
    specs: Receiver<LaunchSpec>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let specs = Arc::new(Mutex::new(specs));
    (0..threads)
        .map(|number| {
            let (context, specs) = (context.clone(), Arc::clone(&specs));
            std::thread::Builder::new().name(format!("spawn-{number}")).spawn(move || {
                loop {
                    // The lock is held while waiting: one thread waits for work, the others for the lock.
                    let Ok(spec) = lock(&specs).recv() else { break };
                    start_one(&context, &spec);
                }
                // Ending this thread would kill what it has forked before it was destroyed in order.
                context.table.wait_until_empty();
            })
        })
        .collect()
}

fn start_one(context: &Context, spec: &LaunchSpec) {
    let container_id = spec.container_id.clone();
    let forking = children::forking();
    match spawn(context, spec) {
        Ok(child) => {
            let pid = child.id();
            let leader = i32::try_from(pid).expect("the kernel's pids are below 2^22");
            // We have not waited for it yet, so that its entry is there even if it ended already.
            let started = procs::read(leader).map_or(0, |process| process.started);
            let doomed = context.table.started(&container_id, leader, started);
            drop(forking);
            (context.sink)(ContainerEvent::Launched { container_id: container_id.clone(), pid });
            context.reaper.watch(&container_id, leader);
            if doomed {
                // The sweeper outlives us.
                let _ = context.orders.send(Order::Destroy(container_id));
            }
        }
        Err(error) => {
            context.logs.finish(&container_id);
            context.table.remove(&container_id);
            (context.sink)(ContainerEvent::LaunchFailed { container_id, error });
        }
    }
}

fn spawn(context: &Context, spec: &LaunchSpec) -> Result<Child, LaunchError> {
    let user = User::to_become(spec.user.as_deref())?;
    let stdout = output::open(&spec.sandbox, "stdout", user.as_ref())?;
    let stderr = output::open(&spec.sandbox, "stderr", user.as_ref())?;
    let (stdout, stderr) = match spec.outputs {
        Some(outputs) => {
            let directory = output::directory(&spec.sandbox)?;
            let owner = user.as_ref().map(|user| (user.uid(), user.gid()));
            let kept = context.logs.keep(&spec.container_id, outputs, directory, (stdout, stderr), owner);
            kept.map_err(LaunchError::Fork)?
        }
        None => (stdout, stderr),
    };
    let outputs =
        || -> io::Result<(Stdio, Stdio)> { Ok((stdout.try_clone()?.into(), stderr.try_clone()?.into())) };
    let (out, err) = outputs().map_err(LaunchError::Fork)?;
    let mut process = process(&spec.command);
    prepare(&mut process, spec, user.as_ref(), out, err);
    match process.spawn() {
        Err(error) if is_the_commands_fault(&error) => {
            // To the outside a command that cannot be executed is one that failed: the container was there, said
            // why and exited with status 1.
            let name = match &spec.command {
                Command::Shell(_) => "/bin/sh",
                Command::Exec { path, .. } => path,
            };
            // A sandbox that cannot be written to has bigger troubles, of which its user will hear.
            let _ = writeln!(&stderr, "Failed to execute '{name}': {error}");
            let (out, err) = outputs().map_err(LaunchError::Fork)?;
            let mut stand_in = self::process(&Command::Shell("exit 1".to_owned()));
            prepare(&mut stand_in, spec, user.as_ref(), out, err);
            stand_in.spawn().map_err(LaunchError::Fork)
        }
        other => other.map_err(LaunchError::Fork),
    }
}

pub(super) fn process(command: &Command) -> Process {
    match command {
        Command::Shell(line) => {
            let mut process = Process::new("/bin/sh");
            process.arg0("sh").arg("-c").arg(line);
            process
        }
        Command::Exec { path, argv } => {
            let mut process = Process::new(path);
            if let Some((name, arguments)) = argv.split_first() {
                process.arg0(name).args(arguments);
            }
            process
        }
    }
}

#[expect(unsafe_code, reason = "there is no other way to run something between fork and exec")]
pub(super) fn prepare(process: &mut Process, spec: &LaunchSpec, user: Option<&User>, out: Stdio, err: Stdio) {
    process.current_dir(&spec.sandbox).env_clear().envs(&spec.environment).env(COOKIE, &spec.sandbox);
    process.stdin(Stdio::null()).stdout(out).stderr(err);
    let become_user = user.map(User::switcher);
    let agent = rustix::process::getpid();
    let open_files = open_files::before_raised();
    // SAFETY: between fork and exec only functions that are safe in a signal handler may run, since another thread may
    // have held any lock at the fork. The closure makes system calls and nothing else: it takes no lock and neither
    // allocates nor frees memory, because what it needs was made before, and errors made from error numbers are plain
    // numbers.
    unsafe {
        process.pre_exec(move || {
            rustix::process::setsid()?;
            if let Some(open_files) = open_files {
                setrlimit(Resource::Nofile, open_files)?;
            }
            if let Some(become_user) = &become_user {
                become_user()?;
            }
            // After the change of user, which resets it.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // Had our parent died before that call, nobody would tell us any more.
            if rustix::process::getppid() != Some(agent) {
                return Err(Errno::SRCH.into());
            }
            Ok(())
        });
    }
}

/// Whether starting failed because of what was to be executed, and not because of us.
fn is_the_commands_fault(error: &io::Error) -> bool {
    let faults = [
        Errno::NOENT,
        Errno::ACCESS,
        Errno::NOEXEC,
        Errno::NOTDIR,
        Errno::ISDIR,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::TOOBIG,
        Errno::TXTBSY,
        Errno::LIBBAD,
    ];
    error.kind() == io::ErrorKind::InvalidInput
        || Errno::from_io_error(error).is_some_and(|errno| faults.contains(&errno))
}
