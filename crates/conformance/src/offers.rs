//! What is in an offer, or in any list of resources in the JSON form.

use serde_json::Value;

/// The resources of an offer.
pub fn resources(offer: &Value) -> impl Iterator<Item = &Value> {
    offer["resources"].as_array().into_iter().flatten()
}

/// For which role a resource is reserved.
#[must_use]
pub fn reserved_for(resource: &Value) -> Option<&str> {
    resource["reservations"].as_array()?.last()?["role"].as_str()
}

/// The id of a persistent volume, if the resource is one.
#[must_use]
pub fn volume_id(resource: &Value) -> Option<&str> {
    resource["disk"]["persistence"]["id"].as_str()
}

/// How much an offer has under a name that is reserved for `role` (or for nobody) and is no volume.
#[must_use]
pub fn amount(offer: &Value, name: &str, role: Option<&str>) -> f64 {
    resources(offer)
        .filter(|r| r["name"] == name && reserved_for(r) == role && volume_id(r).is_none())
        .filter_map(|r| r["scalar"]["value"].as_f64())
        .sum()
}

/// The persistent volume of an id, if an offer has it.
#[must_use]
pub fn volume(offer: &Value, id: &str) -> Option<Value> {
    resources(offer).find(|r| volume_id(r) == Some(id)).cloned()
}

/// Whether an offer has something that is reserved.
#[must_use]
pub fn has_reservation(offer: &Value) -> bool {
    resources(offer).any(|r| reserved_for(r).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tasks;

    #[test]
    fn reserved_and_volumes_are_told_apart() {
        let space = tasks::reserved_disk("web", 5.0);
        let offer = json!({"resources": [
            tasks::scalar("disk", 1.5), space, tasks::volume(&space, "v", "data"), tasks::scalar("cpus", 2.0),
        ]});
        assert_eq!((amount(&offer, "disk", None), amount(&offer, "disk", Some("web"))), (1.5, 5.0));
        assert_eq!((amount(&offer, "cpus", None), amount(&offer, "cpus", Some("web"))), (2.0, 0.0));
        assert_eq!(volume(&offer, "v").unwrap()["scalar"]["value"], 5.0);
        assert!(volume(&offer, "w").is_none() && has_reservation(&offer));
    }
}
