//! The flag that says where a machine is, in Mesos' form: a `DomainInfo` in JSON.

use std::str::FromStr;

use proto::v1::DomainInfo;

/// Where a machine is: `{"fault_domain": {"region": {"name": "R"}, "zone": {"name": "Z"}}}`, or the path of a file that
/// says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Machines of one region are near each other.
    pub(crate) region: String,
    /// Machines of one zone fail together.
    pub(crate) zone: String,
}

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = if text.starts_with('/') {
            std::fs::read_to_string(text).map_err(|error| format!("`{text}` cannot be read: {error}"))?
        } else {
            text.to_owned()
        };
        let domain: DomainInfo =
            proto::json::from_slice(text.as_bytes()).map_err(|error| format!("it is no domain: {error}"))?;
        let fault = domain.fault_domain.ok_or("it must have a `fault_domain`")?;
        Ok(Self { region: fault.region.name, zone: fault.zone.name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_json_or_in_a_file() {
        let text = r#"{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}"#;
        let domain = Domain { region: "r".into(), zone: "z".into() };
        assert_eq!(text.parse(), Ok(domain.clone()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{text}\n")).unwrap();
        assert_eq!(file.path().to_str().unwrap().parse(), Ok(domain));
        for (wrong, why) in [
            ("{}", "fault_domain"),
            ("r/z", "no domain"),
            ("/no/such", "cannot be read"),
            (r#"{"fault_domain":{"region":{"name":"r"}}}"#, "zone"),
        ] {
            assert!(wrong.parse::<Domain>().unwrap_err().contains(why), "{wrong}");
        }
    }
}
