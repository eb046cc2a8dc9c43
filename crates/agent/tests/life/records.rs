//! The death of an agent at a change of one of its launcher's records, which are files of their own.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use containerizer::RecordMoment;
use rustix::process::{Signal, getpid, kill_process};

/// Where the order is that this process is to die by.
static ORDER: OnceLock<PathBuf> = OnceLock::new();

/// The last order, and how many changes there were since it came.
static COUNTED: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

thread_local! {
    /// The number of the change that this thread makes.
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Lets this process die as is ordered in that file.
pub fn obey(order: PathBuf) -> fn(RecordMoment) {
    ORDER.get_or_init(|| order);
    at
}

fn at(moment: RecordMoment) {
    let Some(path) = ORDER.get() else { return };
    let order = std::fs::read_to_string(path).unwrap_or_default();
    let number = match moment {
        RecordMoment::Before => {
            let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
            if counted.0 != order {
                *counted = (order.clone(), 0);
            }
            counted.1 += 1;
            NUMBER.set(counted.1);
            counted.1
        }
        RecordMoment::After => NUMBER.get(),
    };
    let here = match moment {
        RecordMoment::Before => format!("before {number}"),
        RecordMoment::After => format!("after {number}"),
    };
    let (ordered, _) = order.rsplit_once(' ').unwrap_or_default();
    // One order is for one death.
    if ordered == here && std::fs::remove_file(path).is_ok() {
        kill_process(getpid(), Signal::KILL).expect("ourselves");
        loop {
            std::thread::park();
        }
    }
}
