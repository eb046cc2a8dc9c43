//! Resources as schedulers count them: amounts of cpus, memory, disk and GPUs.
//!
//! Reservations, volumes, ports and shared resources are not counted here; a framework that uses them works on the
//! resources of the offer themselves.

use proto::v1::{Offer, Resource, value};

/// An amount of `name`: `cpus` in cores, `mem` and `disk` in megabytes, `gpus` in devices.
#[must_use]
pub fn scalar(name: &str, value: f64) -> Resource {
    Resource {
        name: name.to_owned(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar { value }),
        ..Resource::default()
    }
}

/// Ranges of `name`, both ends included: `ports`.
#[must_use]
pub fn ranges(name: &str, ranges: &[(u64, u64)]) -> Resource {
    let range = ranges.iter().map(|&(begin, end)| value::Range { begin, end }).collect();
    Resource {
        name: name.to_owned(),
        r#type: value::Type::Ranges.into(),
        ranges: Some(value::Ranges { range }),
        ..Resource::default()
    }
}

/// The sum of the scalars called `name`.
#[must_use]
pub fn scalar_total(resources: &[Resource], name: &str) -> f64 {
    let scalars = resources.iter().filter(|r| r.name == name).filter_map(|r| r.scalar.as_ref());
    // Not `sum`, which makes -0 of nothing.
    round(scalars.fold(0.0, |total, scalar| total + scalar.value))
}

/// Amounts are exact to three decimals, as masters keep them.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// How much of each: cpus in cores, memory and disk in megabytes, whole GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantities {
    /// Cores.
    pub cpus: f64,
    /// Megabytes of memory.
    pub mem: f64,
    /// Megabytes of disk.
    pub disk: f64,
    /// Devices.
    pub gpus: f64,
}

impl Quantities {
    /// The amounts in these resources.
    #[must_use]
    pub fn of(resources: &[Resource]) -> Self {
        let total = |name| scalar_total(resources, name);
        Self { cpus: total("cpus"), mem: total("mem"), disk: total("disk"), gpus: total("gpus") }
    }

    /// The amounts in an offer.
    #[must_use]
    pub fn offered(offer: &Offer) -> Self {
        Self::of(&offer.resources)
    }

    /// Whether all of this is within `available`.
    #[must_use]
    pub fn fits(&self, available: &Self) -> bool {
        self.cpus <= available.cpus
            && self.mem <= available.mem
            && self.disk <= available.disk
            && self.gpus <= available.gpus
    }

    /// What is left of this after `other`; never less than nothing.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let less = |a: f64, b: f64| round(a - b).max(0.0);
        Self {
            cpus: less(self.cpus, other.cpus),
            mem: less(self.mem, other.mem),
            disk: less(self.disk, other.disk),
            gpus: less(self.gpus, other.gpus),
        }
    }

    /// The amounts as resources, those that are nothing left out.
    #[must_use]
    pub fn to_resources(&self) -> Vec<Resource> {
        [("cpus", self.cpus), ("mem", self.mem), ("disk", self.disk), ("gpus", self.gpus)]
            .into_iter()
            .filter(|(_, amount)| *amount > 0.0)
            .map(|(name, amount)| scalar(name, amount))
            .collect()
    }
}

impl std::fmt::Display for Quantities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let amounts = [("cpus", self.cpus), ("mem", self.mem), ("disk", self.disk), ("gpus", self.gpus)];
        let mut separator = "";
        for (name, amount) in amounts.into_iter().filter(|(_, amount)| *amount > 0.0) {
            write!(f, "{separator}{name}:{amount}")?;
            separator = " ";
        }
        if separator.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_add_up_over_roles_and_stay_exact() {
        let resources =
            [scalar("cpus", 0.1), scalar("cpus", 0.2), scalar("mem", 64.0), ranges("ports", &[(1, 2)])];
        let mut left = Quantities::of(&resources);
        assert_eq!(left, Quantities { cpus: 0.3, mem: 64.0, ..Quantities::default() });
        let task = Quantities { cpus: 0.1, mem: 16.0, ..Quantities::default() };
        let mut tasks = 0;
        while task.fits(&left) {
            left = left.minus(&task);
            tasks += 1;
        }
        assert_eq!((tasks, left.to_string().as_str()), (3, "mem:16"));
    }

    #[test]
    fn amounts_become_resources_again() {
        let some = Quantities { cpus: 1.5, disk: 10.0, ..Quantities::default() };
        assert_eq!(Quantities::of(&some.to_resources()), some);
        assert_eq!(some.to_resources().len(), 2);
        assert_eq!(Quantities::default().to_string(), "nothing");
    }

    #[test]
    fn nothing_adds_up_to_a_zero_without_a_sign() {
        assert!(scalar_total(&[], "disk").is_sign_positive());
    }
}
