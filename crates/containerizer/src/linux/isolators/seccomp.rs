//! `linux/seccomp`: profiles of system calls in Docker's format, as programs for the kernel.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rustix::thread::CapabilitySet;
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
use serde::Deserialize;

use super::seccomp_program::{Architecture, NARROW, NATIVE, assemble, compile};
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
    /// Which kinds of programs there are rules for.
    #[serde(default, deserialize_with = "or_null")]
    arch_map: Vec<Kind>,
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
#[serde(rename_all = "camelCase")]
struct Kind {
    architecture: String,
    #[serde(default, deserialize_with = "or_null")]
    sub_architectures: Vec<String>,
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
        let mut native = self.parts(bounding, &NATIVE).map_err(failed)?;
        let narrow =
            self.knows(&NARROW).then(|| self.parts(bounding, &NARROW)).transpose().map_err(failed)?;
        let Some(mut narrow) = narrow else {
            return native.into_values().map(|part| assemble(part, None).map_err(failed)).collect();
        };
        // A call that one kind has not got may leave it without a part that the other has.
        let keys: BTreeSet<Part> = native.keys().chain(narrow.keys()).copied().collect();
        let nothing = || compile(BTreeMap::new(), SeccompAction::Allow, SeccompAction::KillProcess);
        keys.into_iter()
            .map(|key| {
                let take =
                    |parts: &mut BTreeMap<Part, BpfProgram>| parts.remove(&key).map_or_else(nothing, Ok);
                let (native, narrow) = (take(&mut native)?, take(&mut narrow)?);
                assemble(native, Some(narrow))
            })
            .collect::<Result<_, _>>()
            .map_err(failed)
    }

    /// Whether programs of a kind other than the machine's own may run.
    fn knows(&self, architecture: &Architecture) -> bool {
        let own = self.content.arch_map.iter().filter(|entry| entry.architecture == NATIVE.name);
        own.flat_map(|entry| &entry.sub_architectures).any(|name| name == architecture.name)
    }

    /// The programs for one kind of program.
    fn parts(
        &self,
        bounding: u64,
        architecture: &Architecture,
    ) -> Result<BTreeMap<Part, BpfProgram>, String> {
        let by_action = self.calls(bounding, architecture)?;
        let default = self.content.default_action;
        let mut parts = BTreeMap::new();
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
            parts.insert(None, compile(known, default.seccompiler(), SeccompAction::Allow)?);
        }
        for (action, calls) in by_action {
            if action != Action::Allow && action != default {
                parts.insert(Some(action), compile(calls, SeccompAction::Allow, action.seccompiler())?);
            }
        }
        Ok(parts)
    }

    /// What is to be done about which calls, by their numbers.
    fn calls(
        &self,
        bounding: u64,
        architecture: &Architecture,
    ) -> Result<BTreeMap<Action, BTreeMap<i64, Vec<SeccompRule>>>, String> {
        let mut by_action: BTreeMap<Action, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
        for rule in self.content.syscalls.iter().filter(|rule| rule.applies(bounding)) {
            let conditions = rule.conditions().map_err(|error| error.to_string())?;
            // A call that this kind of program has not got needs no rule.
            for number in rule.names.iter().filter_map(|name| (architecture.number)(name)) {
                match by_action.entry(rule.action).or_default().entry(number) {
                    Entry::Vacant(entry) => {
                        entry.insert(conditions.iter().cloned().collect());
                    }
                    // Unconditional is an empty list, which no condition narrows.
                    Entry::Occupied(mut entry) => match &conditions {
                        None => entry.get_mut().clear(),
                        Some(_) if entry.get().is_empty() => {}
                        Some(conditions) => entry.get_mut().push(conditions.clone()),
                    },
                }
            }
        }
        Ok(by_action)
    }
}

/// A program of several: the one that refuses what nobody allows, or that of an action.
type Part = Option<Action>;

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
        // Rules for 32-bit programs come beside those for others.
        let both = json.replace(
            "\"archMap\": []",
            &format!(
                r#""archMap": [{{"architecture": "{}", "subArchitectures": ["{}"]}}]"#,
                NATIVE.name, NARROW.name
            ),
        );
        let both = profile(&both).compile(u64::MAX).expect("sound");
        assert_eq!(both.len(), 2);
        assert!(both.iter().zip(&programs).all(|(both, native)| both.len() > native.len()));
    }

    #[test]
    fn a_name_does_not_lead_out_of_the_directory() {
        for name in ["../secret", "/etc/passwd", ""] {
            assert!(matches!(Profile::read(Path::new("/tmp"), name), Err(ProfileError::Name(_))), "{name}");
        }
    }
}
