//! The jobs: what small batch work looks like, each checking its own result.

use proto::v1::TaskState;

/// How a job should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// With status 0.
    Success,
    /// With this state and these words in its last message, on purpose.
    Failure(&'static str),
}

/// One job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) kind: &'static str,
    pub(super) command: String,
    pub(super) expect: Expect,
}

impl Job {
    /// Whether it ended as it should.
    pub(super) fn is_as_expected(&self, state: TaskState, message: &str) -> bool {
        match self.expect {
            Expect::Success => state == TaskState::TaskFinished,
            Expect::Failure(words) => state == TaskState::TaskFailed && message.contains(words),
        }
    }
}

/// A kind of job: its name, how it should end, and its command for the number of a job.
struct Kind(&'static str, Expect, fn(usize) -> String);

const KINDS: &[Kind] = &[
    Kind("checksum", Expect::Success, |n| {
        let lines = 5_000 + n;
        format!(
            "a=$(seq 1 {lines} | sha256sum); b=$(seq 1 {lines} | sha256sum); test \"$a\" = \"$b\" && echo $a"
        )
    }),
    Kind("compress", Expect::Success, |n| {
        let last = 20_000 + n;
        format!(
            "seq 1 {last} > in && gzip -k in && test $(stat -c %s in.gz) -lt $(stat -c %s in) && gzip -dc in.gz | cmp - in"
        )
    }),
    Kind("sort", Expect::Success, |n| {
        format!("seq 1 {} | sort -R | sort -n | head -n 1 | grep -x 1", 3_000 + n)
    }),
    Kind("sum", Expect::Success, |n| {
        let sum = n * (n + 1) / 2;
        format!("test \"$(seq 0 {n} | awk '{{ s += $1 }} END {{ print s }}')\" = {sum}")
    }),
    Kind("shell", Expect::Success, |_| {
        "i=0; s=0; while [ $i -lt 2000 ]; do s=$((s + i)); i=$((i + 1)); done; test $s = 1999000".to_owned()
    }),
    Kind("archive", Expect::Success, |_| {
        "mkdir d && for i in 1 2 3 4 5 6 7 8 9; do echo $i > d/$i; done && tar cf - d | tar tf - | grep -c 'd/[1-9]' | grep -x 9"
            .to_owned()
    }),
    Kind("words", Expect::Success, |_| {
        "for i in 1 2 3; do echo the quick brown fox jumps over the lazy dog; done | tr ' ' '\\n' | sort | uniq -c | \
         sort -rn | head -n 1 | grep -w '6 the'"
            .to_owned()
    }),
    Kind("fails", Expect::Failure("exited with status 3"), |_| {
        "echo this fails on purpose >&2; exit 3".to_owned()
    }),
    Kind("primes", Expect::Success, |_| {
        "python3 -c 'assert sum(n for n in range(2, 2000) if all(n % d for d in range(2, int(n ** .5) + 1))) == 277050'"
            .to_owned()
    }),
    Kind("crashes", Expect::Failure("signal Segmentation fault"), |_| "kill -SEGV $$".to_owned()),
];

/// So many jobs, all kinds in turn; without Python those that need it are left out.
pub(super) fn mixture(count: usize) -> Vec<Job> {
    let python = has_python();
    let kinds: Vec<_> = KINDS.iter().filter(|kind| python || kind.0 != "primes").collect();
    let jobs = (0..count).zip(kinds.iter().cycle());
    jobs.map(|(number, Kind(kind, expect, command))| Job { kind, command: command(number), expect: *expect })
        .collect()
}

fn has_python() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("python3").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Each kind, run by a shell as an agent would, ends as it should.
    #[test]
    fn jobs_end_as_expected_here_too() {
        for job in mixture(KINDS.len()) {
            let directory = tempfile::tempdir().unwrap();
            let output =
                Command::new("sh").args(["-c", &job.command]).current_dir(directory.path()).output().unwrap();
            let status = output.status;
            match job.expect {
                Expect::Success => assert!(status.success(), "{job:?}: {output:?}"),
                Expect::Failure(_) => assert!(!status.success(), "{job:?}: {output:?}"),
            }
        }
    }

    #[test]
    fn a_failure_must_be_the_one_that_was_meant() {
        let job = mixture(8).pop().unwrap();
        assert_eq!(job.kind, "fails");
        assert!(job.is_as_expected(TaskState::TaskFailed, "Command exited with status 3"));
        assert!(!job.is_as_expected(TaskState::TaskFailed, "Command exited with status 127"));
        assert!(!job.is_as_expected(TaskState::TaskFinished, ""));
    }
}
