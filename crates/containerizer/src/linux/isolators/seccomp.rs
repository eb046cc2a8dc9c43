//! `linux/seccomp`: profiles of system calls in Docker's format, as programs for the kernel.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde::Deserialize;
use syscalls::Sysno;

use super::{Plan, Subject};
use crate::isolation::Seccomp;
use crate::launcher::LaunchError;
use crate::linux::options::{Isolator, LinuxOptions};

/// The profiles that this agent has.
#[derive(Debug, Default)]
pub(in crate::linux) struct Profiles {
    directory: Option<PathBuf>,
    default: Option<Profile>,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::linux) enum ProfileError {
    #[error("cannot read the seccomp profile '{path}'")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the seccomp profile '{path}' is not in Docker's format")]
    Format { path: PathBuf, source: serde_json::Error },
    #[error("the seccomp profile '{path}' cannot be compiled: {reason}")]
    Compile { path: PathBuf, reason: String },
    #[error("the isolator 'linux/seccomp' needs a directory of profiles (--seccomp_config_dir)")]
    NoDirectory,
    #[error("the seccomp profile '{0}' is not a name in the directory of profiles")]
    Name(String),
}

impl Profiles {
    pub(in crate::linux) fn open(options: &LinuxOptions) -> Result<Self, ProfileError> {
        if !options.isolation.has(Isolator::LinuxSeccomp) {
            return Ok(Self::default());
        }
        let directory = options.seccomp_config_dir.clone().ok_or(ProfileError::NoDirectory)?;
        let name = options.seccomp_profile.as_deref();
        let default = name.map(|name| Profile::read(&directory, name)).transpose()?;
        Ok(Self { directory: Some(directory), default })
    }
}

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    let Some(directory) =
        subject.profiles.directory.as_deref().filter(|_| subject.has(Isolator::LinuxSeccomp))
    else {
        return Ok(());
    };
    // What the container can get at most decides which of a profile's rules hold for it.
    let bounding = plan.task.capabilities.map_or(u64::MAX, |capabilities| capabilities.bounding);
    let programs = match &subject.spec.wishes.seccomp {
        Seccomp::Unconfined => Ok(Vec::new()),
        Seccomp::Default => {
            subject.profiles.default.as_ref().map_or(Ok(Vec::new()), |profile| profile.compile(bounding))
        }
        Seccomp::Profile(name) => {
            Profile::read(directory, name).and_then(|profile| profile.compile(bounding))
        }
    };
    plan.task.filters = programs.map_err(|error| LaunchError::Wish(crate::chain(&error)))?;
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    default_action: Action,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    Kill,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
}

#[derive(Debug, Deserialize)]
struct Rule {
    names: Vec<String>,
    action: Action,
    #[serde(default, deserialize_with = "or_null")]
    args: Vec<Argument>,
    #[serde(default)]
    includes: Scope,
    #[serde(default)]
    excludes: Scope,
}

#[derive(Debug, Default, Deserialize)]
struct Scope {
    #[serde(default, deserialize_with = "or_null")]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "or_null")]
    caps: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Comparison,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Comparison {
    #[serde(rename = "SCMP_CMP_NE")]
    Ne,
    #[serde(rename = "SCMP_CMP_LT")]
    Lt,
    #[serde(rename = "SCMP_CMP_LE")]
    Le,
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    #[serde(rename = "SCMP_CMP_GE")]
    Ge,
    #[serde(rename = "SCMP_CMP_GT")]
    Gt,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// Docker's own profiles write `null` for an empty list.
fn or_null<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Debug)]
struct Profile {
    path: PathBuf,
    content: Content,
}

impl Profile {
    fn read(directory: &Path, name: &str) -> Result<Self, ProfileError> {
        // The name comes from a framework: it may not lead out of the directory.
        if name.is_empty() || !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(ProfileError::Name(name.to_owned()));
        }
        let path = directory.join(name);
        match std::fs::read_to_string(&path) {
            Err(source) => Err(ProfileError::Read { path, source }),
            Ok(text) => match serde_json::from_str(&text) {
                Ok(content) => Ok(Self { path, content }),
                Err(source) => Err(ProfileError::Format { path, source }),
            },
        }
    }

    /// Programs that together say what the profile says. Of several, the kernel takes the strictest answer. So what is
    /// allowed by none is refused by the first, and each action but "allow" has one that knows only its own calls.
    fn compile(&self, bounding: u64) -> Result<Vec<Vec<u8>>, ProfileError> {
        let failed = |reason: String| ProfileError::Compile { path: self.path.clone(), reason };
        let mut by_action: BTreeMap<Action, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
        for rule in self.content.syscalls.iter().filter(|rule| rule.applies(bounding)) {
            let conditions = rule.conditions().map_err(|error| failed(error.to_string()))?;
            // A call that this kind of machine has not got needs no rule.
            for number in rule.names.iter().filter_map(|name| name.parse::<Sysno>().ok()) {
                let calls = by_action.entry(rule.action).or_default();
                match calls.entry(i64::from(number.id())) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(conditions.iter().cloned().collect());
                    }
                    // Unconditional is an empty list, which no condition narrows.
                    std::collections::btree_map::Entry::Occupied(mut entry) => match &conditions {
                        None => entry.get_mut().clear(),
                        Some(_) if entry.get().is_empty() => {}
                        Some(conditions) => entry.get_mut().push(conditions.clone()),
                    },
                }
            }
        }
        let default = self.content.default_action;
        let mut programs = Vec::new();
        if default != Action::Allow {
            let mut known: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
            for (_, calls) in by_action.iter().filter(|(action, _)| **action != default) {
                for (number, rules) in calls {
                    let merged = known.entry(*number).or_insert_with(|| rules.clone());
                    if rules.is_empty() {
                        merged.clear();
                    } else if !merged.is_empty() {
                        merged.extend(rules.iter().cloned());
                    }
                }
            }
            programs.push(program(known, default.seccompiler(), SeccompAction::Allow).map_err(failed)?);
        }
        for (action, calls) in by_action {
            if action != Action::Allow && action != default {
                let program = program(calls, SeccompAction::Allow, action.seccompiler());
                programs.push(program.map_err(failed)?);
            }
        }
        Ok(programs)
    }
}

impl Rule {
    fn applies(&self, bounding: u64) -> bool {
        let has = |name: &String| {
            let known = name.strip_prefix("CAP_").and_then(CapabilitySet::from_name);
            known.is_some_and(|capability| bounding & capability.bits() != 0)
        };
        let ours = |name: &String| name == ARCHITECTURE;
        (self.includes.arches.is_empty() || self.includes.arches.iter().any(ours))
            && !self.excludes.arches.iter().any(ours)
            && self.includes.caps.iter().all(has)
            && !self.excludes.caps.iter().any(has)
    }

    /// What a call's arguments must be, all of it; `None` if they do not matter.
    fn conditions(&self) -> Result<Option<SeccompRule>, seccompiler::BackendError> {
        let conditions = self.args.iter().map(Argument::condition).collect::<Result<Vec<_>, _>>()?;
        if conditions.is_empty() { Ok(None) } else { SeccompRule::new(conditions).map(Some) }
    }
}

impl Argument {
    fn condition(&self) -> Result<SeccompCondition, seccompiler::BackendError> {
        let (operator, value) = match self.op {
            Comparison::Ne => (SeccompCmpOp::Ne, self.value),
            Comparison::Lt => (SeccompCmpOp::Lt, self.value),
            Comparison::Le => (SeccompCmpOp::Le, self.value),
            Comparison::Eq => (SeccompCmpOp::Eq, self.value),
            Comparison::Ge => (SeccompCmpOp::Ge, self.value),
            Comparison::Gt => (SeccompCmpOp::Gt, self.value),
            Comparison::MaskedEq => (SeccompCmpOp::MaskedEq(self.value), self.value_two),
        };
        SeccompCondition::new(self.index, SeccompCmpArgLen::Qword, operator, value)
    }
}

impl Action {
    fn seccompiler(self) -> SeccompAction {
        const EPERM: u32 = 1;
        match self {
            Self::Kill => SeccompAction::KillThread,
            Self::KillProcess => SeccompAction::KillProcess,
            Self::Trap => SeccompAction::Trap,
            Self::Errno => SeccompAction::Errno(EPERM),
            Self::Trace => SeccompAction::Trace(EPERM),
            Self::Log => SeccompAction::Log,
            Self::Allow => SeccompAction::Allow,
        }
    }
}

/// This kind of machine, as profiles name it.
const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};

fn program(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    action: SeccompAction,
) -> Result<Vec<u8>, String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter =
        SeccompFilter::new(calls, otherwise, action, architecture).map_err(|error| error.to_string())?;
    let program: BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    Ok(program
        .iter()
        .flat_map(|instruction| {
            let mut bytes = instruction.code.to_ne_bytes().to_vec();
            bytes.extend([instruction.jt, instruction.jf]);
            bytes.extend(instruction.k.to_ne_bytes());
            bytes
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(json: &str) -> Profile {
        Profile { path: "p".into(), content: serde_json::from_str(json).expect("a profile") }
    }

    #[test]
    fn a_profile_becomes_one_program_for_each_action() {
        let json = r#"{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [
            {"names": ["read", "write", "no_such_call"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {}},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
            {"names": ["reboot"], "action": "SCMP_ACT_KILL", "includes": {"caps": ["CAP_SYS_BOOT"]}}]}"#;
        let programs = profile(json).compile(u64::MAX).expect("sound");
        assert_eq!(programs.len(), 2);
        assert!(programs.iter().all(|program| program.len() % 8 == 0 && !program.is_empty()));
        // Without the capability nobody speaks of rebooting.
        assert_eq!(profile(json).compile(0).expect("sound").len(), 1);
        let permissive = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}"#;
        assert_eq!(profile(permissive).compile(0).expect("sound").len(), 0);
    }

    #[test]
    fn a_name_does_not_lead_out_of_the_directory() {
        for name in ["../secret", "/etc/passwd", ""] {
            assert!(matches!(Profile::read(Path::new("/tmp"), name), Err(ProfileError::Name(_))), "{name}");
        }
    }
}
