//! Amounts of resources by name, as the v0 endpoints show them.

use std::collections::BTreeSet;

use resources::{Name, Quantities, Resource, Resources, Value};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Map;

/// Sums by name, such as `{"cpus": 1.5, "ports": "[31000-32000]"}`. The four common scalars are always there; what may be
/// taken back is summed apart.
pub(crate) fn amounts(resources: &Resources) -> Map<String, serde_json::Value> {
    let mut amounts = Map::new();
    for name in ["disk", "mem", "gpus", "cpus"] {
        amounts.insert(name.to_owned(), 0.0.into());
    }
    add(&mut amounts, &resources.non_revocable(), "");
    add(&mut amounts, &resources.revocable(), "_revocable");
    amounts
}

/// The same as [`amounts`], written without making it first where there is nothing but a few amounts of the four common scalars,
/// as most tasks have.
pub(crate) struct Amounts<'a>(pub(crate) &'a Resources);

/// In the order in which maps have them.
const COMMON: [(Name, &str); 4] =
    [(Name::Cpus, "cpus"), (Name::Disk, "disk"), (Name::Gpus, "gpus"), (Name::Mem, "mem")];

impl Serialize for Amounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_common = |resource: &Resource| {
            COMMON.iter().any(|(name, _)| *name == resource.name)
                && matches!(resource.value, Value::Scalar(_))
                && !resource.is_revocable()
        };
        if !self.0.iter().all(is_common) {
            return amounts(self.0).serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(COMMON.len()))?;
        for (name, key) in COMMON {
            map.serialize_entry(key, &self.0.scalar(&name).unwrap_or_default().to_f64())?;
        }
        map.end()
    }
}

fn add(amounts: &mut Map<String, serde_json::Value>, resources: &Resources, suffix: &str) {
    let names: BTreeSet<&Name> = resources.iter().map(|resource| &resource.name).collect();
    for name in names {
        let key = format!("{name}{suffix}");
        if let Some(scalar) = resources.scalar(name) {
            amounts.insert(key, scalar.to_f64().into());
        } else if let Some(ranges) = resources.ranges(name) {
            amounts.insert(key, ranges.to_string().into());
        } else {
            let sets: Vec<String> = resources
                .named(name)
                .iter()
                .filter_map(|resource| match &resource.value {
                    Value::Set(set) => Some(set.to_string()),
                    Value::Scalar(_) | Value::Ranges(_) => None,
                })
                .collect();
            amounts.insert(key, sets.join(",").into());
        }
    }
}

/// Bare quantities by name.
pub(crate) fn quantities(quantities: &Quantities) -> Map<String, serde_json::Value> {
    quantities.iter().map(|(name, amount)| (name.to_string(), amount.to_f64().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_ranges() {
        let resources = Resources::parse("cpus:1.5;mem(web):10;mem:20;ports:[1-2,5-6];rack:{a,b}").unwrap();
        let shown = serde_json::Value::Object(amounts(&resources));
        let expected = serde_json::json!({
            "cpus": 1.5, "mem": 30.0, "disk": 0.0, "gpus": 0.0, "ports": "[1-2, 5-6]", "rack": "{a, b}",
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn written_at_once_they_are_the_same() {
        for text in [
            "",
            "cpus:0.1;mem:32",
            "cpus(web):1;cpus:2;gpus:1;disk:5",
            "mem:1;rack:{a}",
            "ports:[1-2]",
            "cpus:1;x:3",
        ] {
            let mut resources = Resources::parse(text).unwrap();
            let check = |resources: &Resources| {
                let written = serde_json::to_string(&Amounts(resources)).unwrap();
                assert_eq!(written, serde_json::to_string(&amounts(resources)).unwrap(), "{resources}");
            };
            check(&resources);
            resources = resources.iter().cloned().map(revocable).collect();
            check(&resources);
        }
    }

    fn revocable(resource: Resource) -> Resource {
        let details = resources::Details { revocable: true, ..resource.details().clone() };
        resource.with_details(details)
    }
}
