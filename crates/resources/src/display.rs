//! The text form of resources, as Mesos writes it in messages and logs.

use std::fmt;

use crate::{
    Disk, DiskKind, DiskSource, Labels, Mode, Reservation, ReservationKind, Resource, Resources, Root, Volume,
};

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, label) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}", label.key)?;
            if let Some(value) = &label.value {
                write!(f, ": {value}")?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ReservationKind::Static => "STATIC",
            ReservationKind::Dynamic => "DYNAMIC",
        };
        write!(f, "{kind},{}", self.role)?;
        if let Some(principal) = &self.principal {
            write!(f, ",{principal}")?;
        }
        if let Some(labels) = &self.labels {
            write!(f, ",{labels}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DiskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.kind == DiskKind::Unknown {
            return Ok(());
        }
        let text = |s: &Option<std::sync::Arc<str>>| s.as_deref().unwrap_or_default().to_owned();
        if self.id.is_some() || self.profile.is_some() {
            return write!(f, "({},{},{})", text(&self.vendor), text(&self.id), text(&self.profile));
        }
        let root = match self.kind {
            DiskKind::Path => &self.path,
            DiskKind::Mount => &self.mount,
            _ => &None,
        };
        match root {
            Some(Root(Some(root))) => write!(f, ":{root}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(host_path) = &self.host_path else {
            return f.write_str(&self.container_path);
        };
        let mode = match self.mode {
            Mode::ReadWrite => "rw",
            Mode::ReadOnly => "ro",
        };
        write!(f, "{host_path}:{}:{mode}", self.container_path)
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            source.fmt(f)?;
        }
        if let Some(persistence) = &self.persistence {
            let comma = if self.source.is_some() { "," } else { "" };
            write!(f, "{comma}{}", persistence.id)?;
        }
        if let Some(volume) = &self.volume {
            write!(f, ":{volume}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Resource {
    /// `cpus(allocated: web)(reservations: [(STATIC,web)]):4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let Some(role) = &self.allocation {
            write!(f, "(allocated: {role})")?;
        }
        let details = self.details();
        if !details.reservations.is_empty() {
            f.write_str("(reservations: [")?;
            for (i, reservation) in details.reservations.iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                write!(f, "{comma}({reservation})")?;
            }
            f.write_str("])")?;
        }
        if let Some(disk) = &details.disk {
            write!(f, "[{disk}]")?;
        }
        if details.revocable {
            f.write_str("{REV}")?;
        }
        if details.shared {
            f.write_str("<SHARED>")?;
        }
        write!(f, ":{}", self.value)
    }
}

impl fmt::Display for Resources {
    /// `cpus:4; mem:2048`, and `{}` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("{}");
        }
        for (i, (resource, copies)) in self.iter_with_copies().enumerate() {
            let separator = if i > 0 { "; " } else { "" };
            write!(f, "{separator}{resource}")?;
            if resource.is_shared() {
                write!(f, "<{copies}>")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Details, Label, Persistence, Role, Scalar};

    fn disk(details: Details) -> Resource {
        Resource::scalar("disk", Scalar::whole(5)).with_details(details)
    }

    #[test]
    fn plain_and_allocated() {
        let mut resources = Resources::parse("cpus:8;ports:[31000-32000];zones:{a,b}").unwrap();
        assert_eq!(resources.to_string(), "cpus:8; ports:[31000-32000]; zones:{a, b}");
        resources.allocate(&Role::star());
        assert_eq!(
            resources.to_string(),
            "cpus(allocated: *):8; ports(allocated: *):[31000-32000]; zones(allocated: *):{a, b}"
        );
        assert_eq!(Resources::new().to_string(), "{}");
    }

    #[test]
    fn reserved() {
        let label = |key: &str, value: Option<&str>| Label { key: key.into(), value: value.map(Arc::from) };
        let mut by = Reservation::dynamic(Role::from("a/b"), Some("me".into()));
        by.labels = Some(Labels(vec![label("k", Some("v")), label("x", None)]));
        let resource = Resource::scalar("cpus", Scalar::from_f64(0.5))
            .reserved_by(Reservation::fixed(Role::from("a")))
            .reserved_by(by);
        assert_eq!(resource.to_string(), "cpus(reservations: [(STATIC,a),(DYNAMIC,a/b,me,{k: v, x})]):0.5");
    }

    #[test]
    fn disks() {
        let source =
            DiskSource { mount: Some(Root(Some("/mnt".into()))), ..DiskSource::new(DiskKind::Mount) };
        let volume = Volume {
            container_path: "data".into(),
            host_path: Some("/h".into()),
            mode: Mode::ReadOnly,
            body: base::Payload::default(),
        };
        let persistence = Persistence { id: "id1".into(), principal: None };
        let whole = Disk { source: Some(source), persistence: Some(persistence), volume: Some(volume) };
        let resource =
            disk(Details { disk: Some(whole), revocable: true, shared: true, ..Details::default() });
        assert_eq!(resource.to_string(), "disk[MOUNT:/mnt,id1:/h:data:ro]{REV}<SHARED>:5");
        let mut shared = Resources::new();
        shared.add(resource.clone());
        shared.add(resource);
        assert_eq!(shared.to_string(), "disk[MOUNT:/mnt,id1:/h:data:ro]{REV}<SHARED>:5<2>");
        let raw = DiskSource { id: Some("v1".into()), ..DiskSource::new(DiskKind::Raw) };
        let raw = Disk { source: Some(raw), ..Disk::default() };
        assert_eq!(disk(Details { disk: Some(raw), ..Details::default() }).to_string(), "disk[RAW(,v1,)]:5");
    }
}
