//! Resources as operators write them, with the reservations that they are under.

use anyhow::{Result, anyhow};
use clap::Args;
use proto::v1::resource::{ReservationInfo, reservation_info};
use proto::v1::{Label, Labels, Resource};

use crate::failure::usage;

/// The reservations of resources, the first one lowest.
#[derive(Args, Clone, Debug)]
pub(crate) struct Stack {
    /// The role that they are reserved for; where a reservation is refined, all of its roles: --role ads --role ads/search
    #[arg(long, required = true, value_name = "ROLE")]
    role: Vec<String>,
    /// Who reserved them
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Labels of the last reservation
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
}

impl Stack {
    /// The role of the last reservation.
    pub(crate) fn role(&self) -> &str {
        self.role.last().map_or("", String::as_str)
    }

    /// The resource under these reservations.
    pub(crate) fn over(&self, mut resource: Resource) -> Resource {
        let last = self.role.len().saturating_sub(1);
        let reservation = |(place, role): (usize, &String)| ReservationInfo {
            r#type: Some(reservation_info::Type::Dynamic.into()),
            role: Some(role.clone()),
            principal: self.principal.clone(),
            labels: (place == last && !self.label.is_empty()).then(|| self.labels()),
        };
        resource.role = None;
        resource.reservations = self.role.iter().enumerate().map(reservation).collect();
        resource
    }

    fn labels(&self) -> Labels {
        let label = |text: &String| match text.split_once('=') {
            Some((key, value)) => Label { key: key.to_owned(), value: Some(value.to_owned()) },
            None => Label { key: text.clone(), value: None },
        };
        Labels { labels: self.label.iter().map(label).collect() }
    }
}

/// Resources without reservations, from text such as `cpus:2;mem:512;ports:[8000-8100]`.
pub(crate) fn parse(text: &str) -> Result<Vec<Resource>> {
    let parsed = wire::resources_from_flag(text, &"*".into());
    let resources = parsed.map_err(|error| usage(format!("`{text}` is no list of resources: {error}")))?;
    let resources = wire::resources_to_proto(&resources);
    match resources.is_empty() {
        true => Err(usage("no resources are named; write them as in 'cpus:2;mem:512'")),
        false => Ok(resources),
    }
}

/// So many megabytes of disk.
pub(crate) fn disk(megabytes: f64) -> Result<Resource> {
    let resource = parse(&format!("disk:{megabytes}"))?.pop();
    resource.ok_or_else(|| anyhow!("{megabytes} MB are no amount of disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_get_their_reservations() {
        let stack = Stack {
            role: vec!["ads".into(), "ads/search".into()],
            principal: Some("ops".into()),
            label: vec!["team=a".into(), "old".into()],
        };
        let resource = stack.over(parse("cpus:2").unwrap().remove(0));
        let text = crate::agents::resource_text(&resource);
        assert!(text.contains("DYNAMIC,ads,ops") && text.contains("ads/search,ops,{team: a, old}"), "{text}");
        assert_eq!(stack.role(), "ads/search");
        let error = parse("cpus").unwrap_err().to_string();
        assert!(error.contains("`cpus` is no list of resources"), "{error}");
        assert!(parse("").unwrap_err().to_string().contains("no resources"));
    }
}
