//! Amounts of resources by name, as the v0 endpoints show them.

use std::collections::BTreeSet;

use resources::{Name, Quantities, Resources, Value};
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
}
