//! The `.proto` files say what the tables of wire facts say: every name, number, label, type, default, and the order.

use std::collections::{BTreeMap, BTreeSet};

use proto::table::{Default, EnumTable, Field, Kind, MessageTable, enums, messages};

/// File and package of the wire facts.
const FACTS: &[(&str, &str)] = &[
    (include_str!("wire/v1_mesos.tsv"), "mesos.v1"),
    (include_str!("wire/v1_scheduler.tsv"), "mesos.v1.scheduler"),
    (include_str!("wire/v1_executor.tsv"), "mesos.v1.executor"),
    (include_str!("wire/v1_master.tsv"), "mesos.v1.master"),
    (include_str!("wire/v1_agent.tsv"), "mesos.v1.agent"),
    (include_str!("wire/v1_allocator.tsv"), "mesos.v1.allocator"),
    (include_str!("wire/v1_maintenance.tsv"), "mesos.v1.maintenance"),
    (include_str!("wire/v1_quota.tsv"), "mesos.v1.quota"),
    (include_str!("wire/v1_resource_provider.tsv"), "mesos.v1.resource_provider"),
    (include_str!("wire/internal_messages.tsv"), "mesos.internal"),
    (include_str!("wire/internal_registry.tsv"), "mesos.internal"),
    (include_str!("wire/internal_state.tsv"), "mesos.internal.state"),
];

/// Messages that the tables refer to but do not list.
const NOT_LISTED: &[&str] = &[
    "google.protobuf.Duration",
    "mesos.v0.SlaveInfo",
    "mesos.internal.state.Entry",
    "mesos.v1.resource_provider.registry.Registry",
    "mesos.v1.resource_provider.registry.ResourceProvider",
];

/// A field that the tables have in v0 only. Mesos' master answers operators with the message of v0 under the name of v1, so
/// that they see it.
const OF_V0: (&str, &str) = ("mesos.v1.AgentInfo", "checkpoint");

/// Fields that Mesos does not have. Their numbers are far from those that it may still use.
const OURS: [(&str, &str); 2] = [
    ("mesos.internal.Registry.UnreachableSlave", "hostname"),
    ("mesos.internal.Registry.GoneSlave", "hostname"),
];

type Rows<'a> = BTreeMap<String, Vec<Vec<&'a str>>>;

fn facts() -> (Rows<'static>, Rows<'static>) {
    let (mut fields, mut values) = (Rows::new(), Rows::new());
    for (text, package) in FACTS {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let row: Vec<&str> = line.split('\t').collect();
            let name = format!("{package}.{}", row[0]);
            match row.get(3) {
                Some(&"enum") => values.entry(name).or_default().push(row),
                Some(_) => fields.entry(name).or_default().push(row),
                None => drop(fields.entry(name).or_default()),
            }
        }
    }
    (fields, values)
}

/// The name that a type of v0 has here.
fn type_in_v1(name: &str) -> String {
    match name.strip_prefix("mesos.") {
        Some("SlaveInfo") => "mesos.v0.SlaveInfo".into(),
        Some(rest) if !rest.starts_with("v1.") && !rest.starts_with("internal.") => {
            format!("mesos.v1.{}", rest.replace("SlaveInfo", "AgentInfo").replace("SlaveID", "AgentID"))
        }
        _ => name.into(),
    }
}

fn type_of(field: &Field) -> String {
    match field.kind {
        Kind::Enum(_) => field.enumeration().unwrap().full_name.into(),
        Kind::Message(_) => field.message().unwrap().full_name.into(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn default_of(field: &Field) -> String {
    match field.default {
        Default::None => String::new(),
        Default::Bool(value) => value.to_string(),
        Default::Int(value) => value.to_string(),
        Default::Double(value) => value.to_string(),
        Default::Text(value) => value.into(),
    }
}

fn label_of(table: &MessageTable, field: &Field) -> String {
    let label = match field {
        Field { repeated: true, .. } => "repeated",
        Field { required_bit, .. } if *required_bit != 0 && !table.map_entry => "required",
        _ => "optional",
    };
    format!("{label}{}", if field.deprecated { " deprecated" } else { "" })
}

#[test]
fn every_message_has_the_fields_of_the_facts() {
    let (facts, _) = facts();
    let tables: BTreeMap<&str, &MessageTable> =
        messages().iter().map(|table| (table.full_name, table)).collect();
    for (name, rows) in &facts {
        let table = tables.get(name.as_str()).unwrap_or_else(|| panic!("{name} is missing"));
        let is_other = |field: &&Field| {
            let named = (table.full_name, field.name);
            named != OF_V0 && !(OURS.contains(&named) && field.number >= 100)
        };
        let fields: Vec<&Field> = table.fields.iter().filter(is_other).collect();
        assert_eq!(fields.len(), rows.len(), "{name}");
        for (field, row) in fields.into_iter().zip(rows) {
            let have = [
                field.name.to_owned(),
                field.number.to_string(),
                label_of(table, field),
                type_of(field),
                default_of(field),
            ];
            let default = row.get(5).copied().unwrap_or_default().to_owned();
            let want = [row[1].to_owned(), row[2].to_owned(), row[3].to_owned(), type_in_v1(row[4]), default];
            assert_eq!(have, want, "{name}");
        }
    }
}

#[test]
fn every_enum_has_the_values_of_the_facts() {
    let (_, facts) = facts();
    let tables: BTreeMap<&str, &EnumTable> = enums().iter().map(|table| (table.full_name, table)).collect();
    assert_eq!(
        facts.keys().map(String::as_str).collect::<Vec<_>>(),
        tables.keys().copied().collect::<Vec<_>>()
    );
    for (name, rows) in &facts {
        let want: BTreeSet<(&str, i32)> = rows.iter().map(|row| (row[1], row[2].parse().unwrap())).collect();
        assert_eq!(tables[name.as_str()].by_name.iter().copied().collect::<BTreeSet<_>>(), want, "{name}");
    }
}

#[test]
fn there_is_no_message_that_the_facts_do_not_know() {
    let (facts, values) = facts();
    for table in messages() {
        let name = table.full_name;
        let outer = format!("{name}.");
        let encloses = facts.keys().chain(values.keys()).any(|other| other.starts_with(&outer));
        assert!(facts.contains_key(name) || NOT_LISTED.contains(&name) || encloses, "{name}");
    }
}

#[test]
fn the_agent_info_of_v0_and_v1_are_one() {
    let find = |name| messages().iter().find(|table| table.full_name == name).unwrap();
    let fields = |table: &MessageTable| -> BTreeMap<u32, (String, String)> {
        table.fields.iter().map(|field| (field.number, (field.name.into(), type_of(field)))).collect()
    };
    let v0 = fields(find("mesos.v0.SlaveInfo"));
    assert_eq!(v0.get(&7), Some(&("checkpoint".into(), "bool".into())));
    assert_eq!(v0, fields(find("mesos.v1.AgentInfo")));
}
