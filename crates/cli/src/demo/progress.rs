//! How far the jobs are: a bar on a terminal, some lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::tell;

/// Shows how many of the jobs have ended, on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
    ended: usize,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { bar: terminal.then(|| bar(total)), total, ended: 0 }
    }

    /// One more has ended; so many run.
    pub(super) fn ended(&mut self, running: usize) {
        self.ended += 1;
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{running} running"));
                bar.inc(1);
            }
            None if self.ended.is_multiple_of((self.total / 4).max(1)) => {
                tell(format_args!("{} of {} jobs have ended", self.ended, self.total));
            }
            None => {}
        }
    }

    /// Something happened that people should see.
    pub(super) fn say(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.println(what),
            None => tell(format_args!("{what}")),
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), ProgressDrawTarget::stderr());
    let template = if crate::view::colours(&std::io::stderr()) {
        "{bar:40.green} {pos} of {len} jobs  {msg}  {elapsed}"
    } else {
        "{bar:40} {pos} of {len} jobs  {msg}  {elapsed}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
