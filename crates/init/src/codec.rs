//! A [`Spec`] as bytes. Both sides are of one build, so there are no versions; numbers are in the machine's byte order.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::log::Rotation;
use crate::spec::{Bind, Capabilities, Mount, Namespaces, Outputs, Rlimit, Source, Spec, Step, Task, User};

/// The bytes are no spec.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a container's spec: it was cut off or written by another version")
    }
}

impl std::error::Error for Malformed {}

impl Spec {
    /// As bytes for an init.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        self.put(&mut out);
        out
    }

    /// From the bytes of [`encode`](Self::encode).
    ///
    /// # Errors
    /// If they are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = bytes;
        let spec = Self::take(&mut input)?;
        if input.is_empty() { Ok(spec) } else { Err(Malformed) }
    }
}

/// One part of a spec.
trait Part: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut &[u8]) -> Result<Self, Malformed>;
}

fn bytes<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], Malformed> {
    let (taken, rest) = input.split_at_checked(count).ok_or(Malformed)?;
    *input = rest;
    Ok(taken)
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Part for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_ne_bytes());
            }
            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                let taken = bytes(input, size_of::<$number>())?;
                Ok(Self::from_ne_bytes(taken.try_into().map_err(|_| Malformed)?))
            }
        }
    )*};
}

numbers!(u8, i32, u32, u64);

/// A struct is its fields in order.
macro_rules! structs {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Part for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                Ok(Self { $($field: Part::take(input)?),* })
            }
        }
    )*};
}

structs! {
    Spec { record, dies_with_parent, owns_pids, steps, holds, outputs, task }
    Outputs { stdout, stderr }
    Rotation { max_size, keep }
    Namespaces { mount, ipc, pid, network, uts }
    Mount { kind, target, options, trusted }
    Bind { source, target, read_only }
    Task {
        program, arguments, environment, directory, rlimits, user, capabilities, no_new_privileges, filters,
        dies_with_init, oom_score_adj
    }
    Rlimit { resource, soft, hard }
    User { uid, gid, groups }
    Capabilities { effective, bounding }
}

impl Part for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl<T: Part> Part for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Part> Part for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for part in self {
            part.put(out);
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        // Every part takes a byte at least: a wrong count ends with the bytes.
        (0..u64::take(input)?).map(|_| T::take(input)).collect()
    }
}

impl<A: Part, B: Part> Part for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

impl Part for OsString {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let count = usize::try_from(u64::take(input)?).map_err(|_| Malformed)?;
        Ok(Self::from_vec(bytes(input, count)?.to_vec()))
    }
}

impl Part for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_os_str().to_owned().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        OsString::take(input).map(Self::from)
    }
}

impl Part for String {
    fn put(&self, out: &mut Vec<u8>) {
        OsString::from(self.as_str()).put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        OsString::take(input)?.into_string().map_err(|_| Malformed)
    }
}

impl Part for Step {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::JoinCgroup(procs) => {
                0_u8.put(out);
                procs.put(out);
            }
            Self::Enter(namespaces) => {
                1_u8.put(out);
                namespaces.put(out);
            }
            Self::Unshare(namespaces) => {
                2_u8.put(out);
                namespaces.put(out);
            }
            Self::DetachMounts => 3_u8.put(out),
            Self::Mount(mount) => {
                4_u8.put(out);
                mount.put(out);
            }
            Self::Bind(bind) => {
                5_u8.put(out);
                bind.put(out);
            }
            Self::EnterFile(path) => {
                6_u8.put(out);
                path.put(out);
            }
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(match u8::take(input)? {
            0 => Self::JoinCgroup(Part::take(input)?),
            1 => Self::Enter(Part::take(input)?),
            2 => Self::Unshare(Part::take(input)?),
            3 => Self::DetachMounts,
            4 => Self::Mount(Part::take(input)?),
            5 => Self::Bind(Part::take(input)?),
            6 => Self::EnterFile(Part::take(input)?),
            _ => return Err(Malformed),
        })
    }
}

impl Part for Source {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Host(path) => {
                0_u8.put(out);
                path.put(out);
            }
            Self::Below { root, path } => {
                1_u8.put(out);
                root.put(out);
                path.put(out);
            }
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(match u8::take(input)? {
            0 => Self::Host(Part::take(input)?),
            1 => Self::Below { root: Part::take(input)?, path: Part::take(input)? },
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Spec {
        let below = Source::Below { root: "/sandbox".into(), path: "data".into() };
        Spec {
            record: Some("/run/x".into()),
            dies_with_parent: true,
            owns_pids: false,
            steps: vec![
                Step::JoinCgroup("/sys/fs/cgroup/x/cgroup.procs".into()),
                Step::EnterFile("/run/ipc".into()),
                Step::Enter(Namespaces { network: true, ..Namespaces::default() }),
                Step::Unshare(Namespaces { mount: true, ipc: true, pid: false, network: false, uts: true }),
                Step::DetachMounts,
                Step::Mount(Mount { kind: "proc".into(), target: "/proc".into(), ..Mount::default() }),
                Step::Bind(Bind { source: Source::Host("/srv".into()), target: below, read_only: true }),
            ],
            holds: true,
            outputs: Some(Outputs {
                stdout: Rotation { max_size: 4096, keep: 1 },
                stderr: Rotation { max_size: u64::MAX, keep: 0 },
            }),
            task: Task {
                program: "sh".into(),
                arguments: vec!["sh".into(), OsString::from_vec(vec![0xff, 0xfe])],
                environment: vec![("A".into(), "b=c".into())],
                directory: "/sandbox".into(),
                rlimits: vec![Rlimit { resource: 7, soft: Some(10), hard: None }],
                user: Some(User { uid: 1, gid: 2, groups: vec![2, 3] }),
                capabilities: Some(Capabilities { effective: Some(1), bounding: u64::MAX }),
                no_new_privileges: true,
                filters: vec![vec![1, 2, 3]],
                dies_with_init: true,
                oom_score_adj: Some(-5),
            },
        }
    }

    #[test]
    fn what_was_written_is_read() {
        for spec in [Spec::default(), full()] {
            assert_eq!(Spec::decode(&spec.encode()), Ok(spec));
        }
    }

    #[test]
    fn what_was_cut_off_is_refused() {
        let bytes = full().encode();
        for end in 0..bytes.len() {
            assert_eq!(Spec::decode(&bytes[..end]), Err(Malformed), "cut off at {end}");
        }
        assert_eq!(Spec::decode(&[bytes.as_slice(), &[0]].concat()), Err(Malformed));
    }
}
