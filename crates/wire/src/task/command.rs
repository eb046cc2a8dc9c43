//! Commands: their environment and its secrets.

use proto::v1::{CommandInfo, Secret, environment::Variable, environment::variable, secret};

use crate::invalid::{Checked, ensure, invalid};

/// Checks a command's environment.
pub(crate) fn check_command(command: &CommandInfo) -> Checked {
    command.environment.iter().flat_map(|environment| &environment.variables).try_for_each(check_variable)
}

fn check_variable(variable: &Variable) -> Checked {
    let of = |kind: &str, what: &str| {
        format!("Environment variable '{}' of type '{kind}' must {what}", variable.name)
    };
    match variable.r#type() {
        variable::Type::Value => {
            ensure(variable.value.is_some(), &of("VALUE", "have a value set"))?;
            ensure(variable.secret.is_none(), &of("VALUE", "not have a secret set"))
        }
        variable::Type::Secret => {
            let Some(secret) = &variable.secret else {
                return invalid(of("SECRET", "have a secret set"));
            };
            ensure(variable.value.is_none(), &of("SECRET", "not have a value set"))?;
            let name = &variable.name;
            check_secret(secret).map_err(|e| {
                e.within(format!("Environment variable '{name}' specifies an invalid secret"))
            })?;
            let has_null = secret.value.as_ref().is_some_and(|value| value.data.contains(&0));
            ensure(
                !has_null,
                &format!(
                    "Environment variable '{name}' specifies a secret containing null bytes, which is not allowed in \
                     the environment"
                ),
            )
        }
        variable::Type::Unknown => invalid("Environment variable of type 'UNKNOWN' is not allowed"),
    }
}

fn check_secret(secret: &Secret) -> Checked {
    match secret.r#type() {
        secret::Type::Reference => {
            let Some(reference) = &secret.reference else {
                return invalid("Secret of type REFERENCE must have the 'reference' field set");
            };
            ensure(
                secret.value.is_none(),
                &format!("Secret '{}' of type REFERENCE must not have the 'value' field set", reference.name),
            )
        }
        secret::Type::Value => {
            ensure(secret.value.is_some(), "Secret of type VALUE must have the 'value' field set")?;
            ensure(secret.reference.is_none(), "Secret of type VALUE must not have the 'reference' field set")
        }
        secret::Type::Unknown => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &str) -> String {
        let json = format!(r#"{{"environment":{{"variables":[{{"name":"X"{fields}}}]}}}}"#);
        let command: CommandInfo = proto::json::from_slice(json.as_bytes()).unwrap();
        check_command(&command).err().map(String::from).unwrap_or_default()
    }

    #[test]
    fn variables() {
        let secret = |secret: &str| check(&format!(r#","type":"SECRET","secret":{{{secret}}}"#));
        assert_eq!(check(r#","value":"v""#), "");
        assert_eq!(check(""), "Environment variable 'X' of type 'VALUE' must have a value set");
        assert_eq!(
            check(r#","value":"v","secret":{}"#),
            "Environment variable 'X' of type 'VALUE' must not have a secret set"
        );
        assert_eq!(check(r#","type":"UNKNOWN""#), "Environment variable of type 'UNKNOWN' is not allowed");
        assert_eq!(
            check(r#","type":"SECRET""#),
            "Environment variable 'X' of type 'SECRET' must have a secret set"
        );
        assert_eq!(
            check(r#","type":"SECRET","secret":{},"value":"v""#),
            "Environment variable 'X' of type 'SECRET' must not have a value set"
        );
        assert_eq!(secret(r#""type":"VALUE","value":{"data":"YQ=="}"#), "");
        assert_eq!(
            secret(r#""type":"VALUE","value":{"data":"AA=="}"#),
            "Environment variable 'X' specifies a secret containing null bytes, which is not allowed in the environment"
        );
        for (text, reason) in [
            (r#""type":"VALUE""#, "Secret of type VALUE must have the 'value' field set"),
            (
                r#""type":"VALUE","value":{"data":"YQ=="},"reference":{"name":"r"}"#,
                "Secret of type VALUE must not have the 'reference' field set",
            ),
            (r#""type":"REFERENCE""#, "Secret of type REFERENCE must have the 'reference' field set"),
            (
                r#""type":"REFERENCE","value":{"data":"YQ=="},"reference":{"name":"r"}"#,
                "Secret 'r' of type REFERENCE must not have the 'value' field set",
            ),
        ] {
            assert_eq!(
                secret(text),
                format!("Environment variable 'X' specifies an invalid secret: {reason}")
            );
        }
    }
}
