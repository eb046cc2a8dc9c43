//! What this machine has to offer, where the operator did not say.
//!
//! The rules are Mesos': all processors; memory and disk less a share for the system; the ports 31000 to 32000.

use std::path::Path;

use resources::{Range, Ranges, Resource, Resources, Role, Scalar, Value};

use crate::options::AgentOptions;

const MEGABYTE: u64 = 1 << 20;
/// Left to the system where there is more than twice as much.
const SYSTEM_MEMORY_MB: u64 = 1024;
const SYSTEM_DISK_MB: u64 = 5 * 1024;
const DEFAULT_PORTS: (u64, u64) = (31_000, 32_000);

/// Why the agent's resources or attributes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The text of the resources.
    #[error("bad resources '{text}'")]
    Resources {
        /// As given.
        text: String,
        /// What is wrong.
        source: wire::Invalid,
    },
    /// The default role.
    #[error("bad default role '{role}'")]
    Role {
        /// As given.
        role: String,
        /// What is wrong.
        source: resources::RoleError,
    },
    /// An attribute.
    #[error("bad attribute '{text}': {reason}")]
    Attribute {
        /// As given.
        text: String,
        /// What is wrong, in one line.
        reason: String,
    },
}

/// All that the agent offers: what the options name, and what was found of the rest.
pub(crate) fn resources(options: &AgentOptions) -> Result<Resources, DescriptionError> {
    resources::validate_role(&options.default_role)
        .map_err(|source| DescriptionError::Role { role: options.default_role.clone(), source })?;
    let role = Role::from(options.default_role.as_str());
    let text = options.resources.as_deref().unwrap_or_default();
    let mut resources = wire::resources_from_flag(text, &role)
        .map_err(|source| DescriptionError::Resources { text: text.to_owned(), source })?;
    let named: Vec<String> = resources.iter().map(|resource| resource.name.to_string()).collect();
    for (name, value) in detected(&options.work_dir) {
        // Also what is named with an amount of nothing is named.
        if !named.iter().any(|known| known == name) && !is_in_text(text, name) {
            let resource = Resource::new(name.into(), value);
            resources.add(if role.is_star() {
                resource
            } else {
                resource.reserved_by(resources::Reservation::fixed(role.clone()))
            });
        }
    }
    Ok(resources)
}

/// Whether a resource has an entry in a text such as `cpus:8;ports(web):[80-90]`.
fn is_in_text(text: &str, name: &str) -> bool {
    let mut entries = text.split([';', '\n']).filter_map(|entry| entry.trim().strip_prefix(name));
    entries.any(|rest| rest.trim_start().starts_with([':', '(']))
}

fn detected(work_dir: &Path) -> [(&'static str, Value); 4] {
    let whole = |amount: u64| Value::Scalar(Scalar::whole(i64::try_from(amount).unwrap_or(i64::MAX)));
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let memory = rustix::system::sysinfo();
    let memory_mb = memory.totalram.saturating_mul(u64::from(memory.mem_unit)) / MEGABYTE;
    // The directory may not be there yet; its file system is that of the nearest one that is.
    let existing = work_dir.ancestors().find(|directory| directory.exists()).unwrap_or(Path::new("/"));
    let disk_mb = rustix::fs::statvfs(existing)
        .map_or(0, |disk| disk.f_blocks.saturating_mul(disk.f_frsize) / MEGABYTE);
    [
        ("cpus", whole(cpus)),
        ("mem", whole(without_share(memory_mb, SYSTEM_MEMORY_MB))),
        ("disk", whole(without_share(disk_mb, SYSTEM_DISK_MB))),
        (
            "ports",
            Value::Ranges(
                Ranges::new([Range { begin: DEFAULT_PORTS.0, end: DEFAULT_PORTS.1 }]).unwrap_or_default(),
            ),
        ),
    ]
}

/// What is left beside the system's share; half where that would be most of it.
fn without_share(total: u64, share: u64) -> u64 {
    if total > 2 * share { total - share } else { total / 2 }
}

/// The attributes: `name:value` separated by `;`, each value a scalar, ranges or a text.
pub(crate) fn attributes(text: Option<&str>) -> Result<Vec<proto::v1::Attribute>, DescriptionError> {
    let pairs = text.unwrap_or_default().split([';', '\n']).map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(attribute).collect()
}

fn attribute(pair: &str) -> Result<proto::v1::Attribute, DescriptionError> {
    use proto::v1::value::{self, Type};
    let bad = |reason: &str| DescriptionError::Attribute { text: pair.to_owned(), reason: reason.to_owned() };
    let (name, text) = pair.split_once(':').ok_or_else(|| bad("expected name:value"))?;
    let mut attribute = proto::v1::Attribute { name: name.trim().to_owned(), ..Default::default() };
    let parsed = resources::parse_value_or_text(text.trim()).map_err(|reason| bad(&reason))?;
    match parsed {
        resources::ParsedValue::Text(text) => {
            attribute.r#type = Type::Text.into();
            attribute.text = Some(value::Text { value: text.to_string() });
        }
        resources::ParsedValue::Value(Value::Scalar(scalar)) => {
            attribute.r#type = Type::Scalar.into();
            attribute.scalar = Some(value::Scalar { value: scalar.to_f64() });
        }
        resources::ParsedValue::Value(Value::Ranges(ranges)) => {
            attribute.r#type = Type::Ranges.into();
            let range =
                ranges.iter().map(|range| value::Range { begin: range.begin, end: range.end }).collect();
            attribute.ranges = Some(value::Ranges { range });
        }
        resources::ParsedValue::Value(Value::Set(_)) => return Err(bad("sets are not allowed")),
    }
    Ok(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(resources: Option<&str>) -> AgentOptions {
        AgentOptions { resources: resources.map(str::to_owned), ..AgentOptions::loopback("", "/nosuch/dir") }
    }

    #[test]
    fn what_is_not_named_is_detected() {
        let all = super::resources(&options(None)).expect("detected");
        for name in ["cpus", "mem", "disk", "ports"] {
            assert_eq!(all.iter().filter(|resource| resource.name.to_string() == name).count(), 1, "{name}");
        }
        let some = super::resources(&options(Some("cpus:8;mem:0"))).expect("valid");
        assert_eq!(some.cpus(), Some(Scalar::whole(8)));
        assert_eq!(some.mem(), None);
        assert!(some.ports().is_some());
        let other = super::resources(&options(Some("nvmem:4"))).expect("valid");
        assert!(other.mem().is_some(), "another resource whose name ends so");
        assert!(super::resources(&options(Some("cpus:x;"))).is_err());
    }

    #[test]
    fn the_system_keeps_its_share() {
        assert_eq!(without_share(8192, 1024), 7168);
        assert_eq!(without_share(1500, 1024), 750);
    }

    #[test]
    fn attributes_have_the_type_of_their_value() {
        use proto::v1::value::Type;
        let parsed = attributes(Some("rack:r1; n:2;p:[1-3]")).expect("valid");
        let types: Vec<Type> = parsed.iter().map(proto::v1::Attribute::r#type).collect();
        assert_eq!(types, [Type::Text, Type::Scalar, Type::Ranges]);
        assert!(attributes(Some("rack")).is_err());
        assert!(attributes(None).expect("none").is_empty());
    }
}
