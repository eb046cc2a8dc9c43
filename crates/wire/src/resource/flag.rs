//! Resources as an agent's flag gives them: in the text form, or as a JSON array of messages.

use proto::v1::quota::QuotaRequest;
use resources::{Resources, Role};

use super::read::resources_from_proto;
use crate::Invalid;

/// Reads the value of the flag. What names no role is statically reserved for `default_role`, unless that is `*`.
///
/// # Errors
/// What is wrong, in one line. What an agent cannot have from the start is refused: persistent volumes, revocable
/// resources and dynamic reservations.
pub fn resources_from_flag(text: &str, default_role: &Role) -> Result<Resources, Invalid> {
    if !text.trim_start().starts_with('[') {
        return Resources::parse_for_role(text, default_role)
            .map_err(|error| Invalid::new(error.to_string()));
    }
    // A message that has nothing but resources, to read an array as a field.
    let wrapped = format!(r#"{{"guarantee":{text}}}"#);
    let mut messages = proto::json::from_slice::<QuotaRequest>(wrapped.as_bytes())
        .map_err(|error| {
            Invalid::new(error.to_string()).within("Some JSON resources were not formatted properly")
        })?
        .guarantee;
    for message in &mut messages {
        if message.role.is_none() && message.reservations.is_empty() {
            message.role = Some(default_role.as_str().to_owned());
        }
    }
    let resources = resources_from_proto(&messages).map_err(|error| Invalid::new(error.reason))?;
    check(&resources)?;
    Ok(resources)
}

fn check(resources: &Resources) -> Result<(), Invalid> {
    for (i, resource) in resources.iter().enumerate() {
        let wrong = if resource.is_persistent_volume() {
            "Persistent volumes cannot be specified at the command line".to_owned()
        } else if resource.is_revocable() {
            "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the \
             resources JSON"
                .to_owned()
        } else if resource.is_dynamically_reserved() {
            "Dynamic reservations cannot be specified at the command line; do not include a reservation with DYNAMIC \
             type in the resources JSON"
                .to_owned()
        } else if resources
            .iter()
            .take(i)
            .any(|r| r.name == resource.name && !r.value.same_kind(&resource.value))
        {
            format!("Resources with the same name ('{}') but different types are not allowed", resource.name)
        } else {
            continue;
        };
        return Err(Invalid::new(wrong));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        resources_from_flag(text, &Role::from("web")).map(|r| r.to_string()).map_err(String::from)
    }

    #[test]
    fn both_forms_say_the_same() {
        let json = r#" [{"name":"cpus","type":"SCALAR","scalar":{"value":2}},
            {"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]},"role":"*"}]"#;
        let expected = "cpus(reservations: [(STATIC,web)]):2; ports:[1-2]";
        assert_eq!(read(json).as_deref(), Ok(expected));
        assert_eq!(read("cpus:2;ports(*):[1-2]").as_deref(), Ok(expected));
        assert_eq!(read("[]").as_deref(), Ok("{}"));
    }

    #[test]
    fn what_no_agent_starts_with_is_refused() {
        let with = |name: &str, rest: &str| {
            let text = format!(r#"[{{"name":"{name}","type":"SCALAR","scalar":{{"value":1}}{rest}}}]"#);
            read(&text).unwrap_err()
        };
        assert!(with("cpus", r#","revocable":{}"#).starts_with("Revocable resources cannot be specified"));
        let dynamic = r#","reservations":[{"type":"DYNAMIC","role":"a"}]"#;
        assert!(with("cpus", dynamic).starts_with("Dynamic reservations cannot be specified"));
        let volume = r#","role":"a","disk":{"persistence":{"id":"i"}}"#;
        assert!(with("disk", volume).starts_with("Persistent volumes cannot be specified"));
        assert_eq!(
            with("cpus", r#","role":"-a""#),
            "Role component '-a' is invalid because it starts with a dash"
        );
        assert!(read("[{").unwrap_err().starts_with("Some JSON resources were not formatted properly: "));
        let mixed = r#"[{"name":"x","type":"SCALAR","scalar":{"value":1}},{"name":"x","type":"SET","set":{"item":["a"]}}]"#;
        assert_eq!(
            read(mixed).unwrap_err(),
            "Resources with the same name ('x') but different types are not allowed"
        );
    }
}
