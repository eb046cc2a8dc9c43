//! Writes the message and enum tables as Rust source; `src/table.rs` says what they mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// A message with all that is needed to write its row.
struct Message<'a> {
    full_name: String,
    rust_path: String,
    descriptor: &'a DescriptorProto,
}

/// All types of all files, in a stable order; the order gives the indexes that refer to them.
#[derive(Default)]
struct Types<'a> {
    messages: Vec<Message<'a>>,
    enums: Vec<(String, &'a EnumDescriptorProto)>,
    message_index: BTreeMap<String, usize>,
    enum_index: BTreeMap<String, usize>,
}

impl<'a> Types<'a> {
    fn collect(files: &'a FileDescriptorSet) -> Self {
        let mut types = Types::default();
        for file in &files.file {
            let module = file
                .package()
                .split('.')
                .fold(String::from("crate::generated"), |path, part| path + "::" + &part.to_snake_case());
            for message in &file.message_type {
                types.add_message(file.package(), &module, message);
            }
            for descriptor in &file.enum_type {
                types.add_enum(file.package(), descriptor);
            }
        }
        types
    }

    fn add_message(&mut self, scope: &str, module: &str, descriptor: &'a DescriptorProto) {
        let full_name = format!("{scope}.{}", descriptor.name());
        let rust_path = format!("{module}::{}", descriptor.name().to_upper_camel_case());
        let inner = format!("{module}::{}", descriptor.name().to_snake_case());
        self.message_index.insert(full_name.clone(), self.messages.len());
        self.messages.push(Message { full_name: full_name.clone(), rust_path, descriptor });
        for nested in &descriptor.nested_type {
            self.add_message(&full_name, &inner, nested);
        }
        for nested in &descriptor.enum_type {
            self.add_enum(&full_name, nested);
        }
    }

    fn add_enum(&mut self, scope: &str, descriptor: &'a EnumDescriptorProto) {
        let full_name = format!("{scope}.{}", descriptor.name());
        self.enum_index.insert(full_name.clone(), self.enums.len());
        self.enums.push((full_name, descriptor));
    }

    /// The messages in which something is required, in themselves or below.
    fn with_required(&self) -> Vec<bool> {
        let mut required = vec![false; self.messages.len()];
        loop {
            let mut changed = false;
            for (index, message) in self.messages.iter().enumerate() {
                let found = message.descriptor.field.iter().any(|field| {
                    field.label() == Label::Required
                        || field.r#type() == Type::Message && required[self.message_index[type_name(field)]]
                });
                if found && !required[index] {
                    required[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return required;
            }
        }
    }
}

/// The tables for all files, to be included by `src/table.rs`.
pub(crate) fn generate(files: &FileDescriptorSet) -> String {
    let types = Types::collect(files);
    let with_required = types.with_required();
    let mut out = String::new();
    let _ = writeln!(
        out,
        "/// All messages.\npub(crate) static MESSAGES: [MessageTable; {}] = [",
        types.messages.len()
    );
    for (index, message) in types.messages.iter().enumerate() {
        write_message(&mut out, &types, message, &with_required, with_required[index]);
    }
    let _ = writeln!(
        out,
        "];\n\n/// All enums.\npub(crate) static ENUMS: [EnumTable; {}] = [",
        types.enums.len()
    );
    for (full_name, descriptor) in &types.enums {
        write_enum(&mut out, full_name, descriptor);
    }
    out.push_str("];\n\n");
    write_list(&mut out, &types);
    for (index, message) in types.messages.iter().enumerate() {
        let _ = writeln!(out, "described!({}, {index}, {:?});", message.rust_path, message.full_name);
        if is_map_entry(message.descriptor) {
            write_map_entry(&mut out, message);
        } else if is_id(message.descriptor) {
            let _ = writeln!(out, "string_id!({}{});", message.rust_path, parent_of_id(message.descriptor));
        }
    }
    out
}

/// A macro that hands every message type to another macro, for tests that must hold for all of them.
fn write_list(out: &mut String, types: &Types) {
    out.push_str(
        "#[doc(hidden)]\n#[macro_export]\nmacro_rules! for_each_message {\n    ($callback:ident) => {\n",
    );
    out.push_str("        $callback! {\n");
    for message in &types.messages {
        let path = message.rust_path.replace("crate::generated::mesos::", "$crate::");
        let _ = writeln!(
            out,
            "            {},",
            path.replace("crate::generated::google::protobuf", "$crate::well_known")
        );
    }
    out.push_str("        }\n    };\n}\n\n");
}

fn write_message(out: &mut String, types: &Types, message: &Message, with_required: &[bool], checked: bool) {
    let fields = &message.descriptor.field;
    let map_entry = is_map_entry(message.descriptor);
    let mut by_number = Vec::new();
    let mut required_bits = 0u32;
    let mut rows = String::new();
    for (position, field) in fields.iter().enumerate() {
        let number = usize::try_from(field.number()).expect("field numbers are positive");
        assert!(number < 256 && position < 255, "{}: a table of bytes no longer fits", message.full_name);
        by_number.resize(by_number.len().max(number + 1), 0);
        by_number[number] = position + 1;
        let needed =
            field.label() == Label::Required || map_entry && value_needed(types, field, with_required);
        let bit = if needed {
            required_bits += 1;
            assert!(required_bits <= 64, "{}: too many required fields", message.full_name);
            1u64 << (required_bits - 1)
        } else {
            0
        };
        let deprecated = field.options.as_ref().is_some_and(prost_types::FieldOptions::deprecated);
        let _ = writeln!(
            rows,
            "        Field {{ name: {:?}, number: {number}, kind: {}, repeated: {}, required_bit: {bit:#x}, \
             default: {}, deprecated: {deprecated} }},",
            field.name(),
            kind(types, field),
            field.label() == Label::Repeated,
            default_value(field),
        );
    }
    let mut by_name: Vec<usize> = (0..fields.len()).collect();
    by_name.sort_by_key(|&position| fields[position].name());
    let all = if required_bits == 0 { 0 } else { u64::MAX >> (64 - required_bits) };
    let _ = writeln!(
        out,
        "    MessageTable {{ full_name: {:?}, required: {all:#x}, checked: {checked}, map_entry: {map_entry},\n      \
         by_number: &{by_number:?}, by_name: &{by_name:?}, fields: &[\n{rows}    ] }},",
        message.full_name
    );
}

fn write_enum(out: &mut String, full_name: &str, descriptor: &EnumDescriptorProto) {
    let mut values: Vec<(&str, i32)> =
        descriptor.value.iter().map(|value| (value.name(), value.number())).collect();
    values.sort_unstable();
    let by_name = values.clone();
    values.sort_by_key(|&(_, number)| number);
    let _ = writeln!(
        out,
        "    EnumTable {{ full_name: {full_name:?}, by_name: &{by_name:?}, by_number: &{values:?} }},"
    );
}

fn write_map_entry(out: &mut String, message: &Message) {
    let value = &message.descriptor.field[1];
    let value_type = match value.r#type() {
        Type::String => String::from("String"),
        Type::Message => rust_path(type_name(value)),
        other => panic!("{}: maps to {other:?} are not known yet", message.full_name),
    };
    let _ = writeln!(out, "map_entry!({}, {value_type});", message.rust_path);
}

/// The Rust path of a message by its full name: lower-case parts are packages.
fn rust_path(full_name: &str) -> String {
    let mut parts: Vec<&str> = full_name.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let modules = parts
        .into_iter()
        .fold(String::from("crate::generated"), |path, part| path + "::" + &part.to_snake_case());
    modules + "::" + &last.to_upper_camel_case()
}

fn is_map_entry(descriptor: &DescriptorProto) -> bool {
    descriptor.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

/// Whether this is the value of a map entry without which the entry is incomplete.
fn value_needed(types: &Types, field: &FieldDescriptorProto, with_required: &[bool]) -> bool {
    field.r#type() == Type::Message && with_required[types.message_index[type_name(field)]]
}

/// `{required string value}`, with or without a parent: the shape of all id messages.
fn is_id(descriptor: &DescriptorProto) -> bool {
    let first = descriptor.field.first();
    descriptor.name().ends_with("ID")
        && first.is_some_and(|field| field.name() == "value" && field.r#type() == Type::String)
}

/// The other fields of an id message, as the macro wants them.
fn parent_of_id(descriptor: &DescriptorProto) -> &'static str {
    if descriptor.field.len() > 1 { ", parent" } else { "" }
}

fn type_name(field: &FieldDescriptorProto) -> &str {
    field.type_name().trim_start_matches('.')
}

fn kind(types: &Types, field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Bool => "Kind::Bool".into(),
        Type::Int32 => "Kind::Int32".into(),
        Type::Int64 => "Kind::Int64".into(),
        Type::Uint32 => "Kind::Uint32".into(),
        Type::Uint64 => "Kind::Uint64".into(),
        Type::Double => "Kind::Double".into(),
        Type::String => "Kind::String".into(),
        Type::Bytes => "Kind::Bytes".into(),
        Type::Enum => format!("Kind::Enum({})", types.enum_index[type_name(field)]),
        Type::Message => format!("Kind::Message({})", types.message_index[type_name(field)]),
        other => panic!("field {}: type {other:?} is in no table of the wire facts", field.name()),
    }
}

fn default_value(field: &FieldDescriptorProto) -> String {
    let Some(text) = &field.default_value else { return "Default::None".into() };
    match field.r#type() {
        Type::Bool => format!("Default::Bool({text})"),
        Type::Double => {
            format!("Default::Double({:?})", text.parse::<f64>().expect("a double's default is a number"))
        }
        Type::Int32 | Type::Int64 | Type::Uint32 | Type::Uint64 => format!("Default::Int({text})"),
        Type::String | Type::Enum => format!("Default::Text({text:?})"),
        other => panic!("field {}: a default of type {other:?} is not known yet", field.name()),
    }
}
