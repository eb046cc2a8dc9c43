//! Which agents the master takes at all. One that it does not take is told nothing, as in Mesos: its tasks go on, and it may come
//! back as another.

use master_core::FromAgent;

/// The oldest agents that are taken.
const OLDEST: [u64; 3] = [1, 0, 0];

/// Which agents may come, by what they say of where they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domains {
    /// The master says where it is. If it does not, nobody can tell whether an agent that does is far away.
    pub(crate) known: bool,
    /// Agents have to say where they are.
    pub(crate) required: bool,
}

impl Domains {
    /// Why an agent is not taken.
    pub(super) fn refusal(self, message: &FromAgent) -> Option<String> {
        let agent = match message {
            FromAgent::Register(agent) => agent,
            FromAgent::Reregister(message) => &message.agent,
            _ => return None,
        };
        if let Some(why) = too_old(&agent.version) {
            return Some(why);
        }
        let why = match agent.info.traits.region {
            Some(_) if !self.known => "it has a --domain and the master has none",
            None if self.required => "it has no --domain, and --require_agent_domain is set",
            _ => return None,
        };
        Some(why.to_owned())
    }
}

/// Why a version is too old, or none at all.
fn too_old(version: &str) -> Option<String> {
    let Some((numbers, is_final)) = parse(version) else {
        return Some(format!("its version '{version}' is not of the form MAJOR.MINOR.PATCH"));
    };
    let old = numbers < OLDEST || numbers == OLDEST && !is_final;
    old.then(|| format!("its version {version} is older than 1.0.0"))
}

/// The three numbers of a version, of which the last ones may be missing, and whether nothing says that it is one of before them.
fn parse(version: &str) -> Option<([u64; 3], bool)> {
    let (version, _build) = version.split_once('+').unwrap_or((version, ""));
    let (version, label) =
        version.split_once('-').map_or((version, None), |(version, label)| (version, Some(label)));
    let mut numbers = [0; 3];
    let mut parts = version.split('.');
    for (number, part) in numbers.iter_mut().zip(&mut parts) {
        // A sign is a number to `parse`, and none in a version.
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| digits)?;
    }
    (parts.next().is_none() && label != Some("")).then_some((numbers, label.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_1_0_0_on_are_taken() {
        for good in ["1.12.0", "1", "1.0", "1.0.0", "1.0.1-rc1", "2.0.0-dev+git.7", "1.0.0+build", "10.0.0"] {
            assert_eq!(too_old(good), None, "{good}");
        }
        for old in ["0.28.1-rc1", "0.99.99", "1.0.0-rc2", "0"] {
            assert_eq!(too_old(old), Some(format!("its version {old} is older than 1.0.0")));
        }
        for wrong in ["", "x", "1.x", "1.2.3.4", "+1.2", "1..2", "1.2.3-", "-1"] {
            let why = format!("its version '{wrong}' is not of the form MAJOR.MINOR.PATCH");
            assert_eq!(too_old(wrong), Some(why));
        }
    }
}
