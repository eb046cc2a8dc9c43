//! Frameworks that want offers and get none, with what the master says would help. Only Meseta's masters can tell.

use proto::v1::master::response::GetFrameworks;
use sdk::Operator;
use serde_json::Value;

use super::finding::{Finding, Severity};
use crate::cluster::framework_id;

/// How many frameworks are asked about: each answer looks at all agents.
const ASKED: usize = 20;

/// Asks about frameworks that have nothing and are offered nothing.
pub(super) async fn findings(operator: &Operator, frameworks: &GetFrameworks) -> Vec<Finding> {
    let idle = frameworks.frameworks.iter().filter(|framework| {
        framework.active
            && framework.connected
            && framework.allocated_resources.is_empty()
            && framework.offers.is_empty()
            && framework.offered_resources.is_empty()
    });
    let mut found = Vec::new();
    for framework in idle.take(ASKED) {
        let info = &framework.framework_info;
        let id = framework_id(info);
        // One that has ended meanwhile, or a master that cannot tell.
        let Ok(why) = operator.explain_framework(id).await else { continue };
        found.extend(starving(&format!("{id} ({})", info.name), &why.text, &why.details));
    }
    found
}

/// Whether the answer shows that a framework wants offers and cannot have any. One that has refused all there is has
/// itself to thank; that is no fault.
fn starving(name: &str, text: &str, details: &Value) -> Option<Finding> {
    let roles = details["roles"].as_array()?;
    let wants = |role: &&Value| role["state"] == "wanting" && role["unhindered"] == 0;
    let refused_only = |role: &Value| {
        let obstacles = role["obstacles"].as_array().map(Vec::as_slice).unwrap_or_default();
        !obstacles.is_empty() && obstacles.iter().all(|obstacle| obstacle["obstacle"] == "refused")
    };
    let hungry: Vec<&Value> = roles.iter().filter(wants).filter(|role| !refused_only(role)).collect();
    if hungry.is_empty() {
        return None;
    }
    let roles: Vec<&str> = hungry.iter().filter_map(|role| role["role"].as_str()).collect();
    let what = format!("framework {name} wants offers in role {} and gets none", roles.join(", "));
    // Behind this line the master says what would help.
    let help =
        text.split_once("would help:").map(|(_, help)| help.split_whitespace().collect::<Vec<_>>().join(" "));
    let advice = help.unwrap_or_else(|| "`meseta framework explain ID` says why".to_owned());
    Some(Finding::new(Severity::Warning, "starving", what).advice(advice))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_offered_nothing_is_told_with_what_helps() {
        let role = |state: &str, unhindered: u64, obstacle: &str| {
            json!({ "roles": [{
                "role": "ads", "state": state, "unhindered": unhindered,
                "obstacles": [{ "obstacle": obstacle, "agents": 1 }],
            }] })
        };
        let text = "Framework x.\n  The smallest change that would help:\n    Raise the limit\n    of ads.";
        let found = starving("x", text, &role("wanting", 0, "at_limit")).unwrap();
        assert_eq!(
            (found.what.as_str(), found.advice.as_str()),
            ("framework x wants offers in role ads and gets none", "Raise the limit of ads.")
        );
        assert_eq!(starving("x", text, &role("suppressed", 0, "at_limit")), None);
        assert_eq!(starving("x", text, &role("wanting", 3, "at_limit")), None);
        assert_eq!(starving("x", text, &role("wanting", 0, "refused")), None, "it does not want them");
    }
}
