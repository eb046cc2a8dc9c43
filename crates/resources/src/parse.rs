//! Reading the text form of resources and values.

use crate::{
    Name, ParseError, ParsedValue, Range, Ranges, Reservation, Resource, ResourceError, Resources, Role,
    Scalar, Set, Value, validate,
};

/// Reads `name(role):value;...`.
pub(crate) fn parse(text: &str, default_role: &Role) -> Result<Resources, ParseError> {
    let mut resources = Resources::new();
    for token in text.split(';').filter(|token| !token.is_empty()) {
        let resource = parse_one(token, default_role)?;
        validate(&resource)?;
        if resources.iter().any(|r| r.name == resource.name && !r.value.same_kind(&resource.value)) {
            return Err(ParseError::MixedTypes(resource.name.to_string()));
        }
        resources.add(resource);
    }
    Ok(resources)
}

fn parse_one(token: &str, default_role: &Role) -> Result<Resource, ParseError> {
    let mut parts = token.split(':').filter(|part| !part.is_empty());
    let (Some(left), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ParseError::Colon(token.to_owned()));
    };
    let (name, role) = match left.split_once('(') {
        None => (left.trim(), default_role.clone()),
        Some((name, rest)) => {
            let (role, _) = rest.split_once(')').ok_or_else(|| ParseError::Parentheses(token.to_owned()))?;
            (name.trim(), Role::from(role.trim()))
        }
    };
    let parsed = parse_value_or_text(value).map_err(|reason| ParseError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        reason,
    })?;
    let ParsedValue::Value(parsed) = parsed else {
        return Err(ParseError::Text { name: name.to_owned(), value: value.to_owned() });
    };
    let resource = Resource::new(Name::from(name), parsed);
    Ok(if role.is_star() { resource } else { resource.reserved_by(Reservation::fixed(role)) })
}

/// Reads a value as attributes of agents have it: whatever is not a number, ranges or a set is text.
///
/// # Errors
/// What is wrong, in one line.
pub fn parse_value_or_text(text: &str) -> Result<ParsedValue, String> {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    if text.is_empty() {
        return Err("Expecting non-empty string".to_owned());
    }
    if ["{}", "[]", "()"].iter().any(|pair| !balanced(&text, pair)) {
        return Err("Mismatched brackets".to_owned());
    }
    match text.find(['[', '{']) {
        Some(0) if text.starts_with('[') => parse_ranges(&text).map(|ranges| Value::Ranges(ranges).into()),
        Some(0) => {
            let items = text.split(['{', '}', ',', '\n']).filter(|item| !item.is_empty());
            Ok(Value::Set(Set::new(items)).into())
        }
        Some(at) => Err(format!("Unexpected '{}' found", &text[at..=at])),
        None => parse_number(text),
    }
}

fn parse_number(text: String) -> Result<ParsedValue, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_subnormal() => Err("Subnormal values not supported".to_owned()),
        Ok(number) if number.is_finite() && number >= 0.0 => {
            Ok(Value::Scalar(Scalar::from_f64(number)).into())
        }
        _ => Ok(ParsedValue::Text(text)),
    }
}

fn parse_ranges(text: &str) -> Result<Ranges, String> {
    let tokens: Vec<_> = text.split(['[', ']', '-', ',', '\n']).filter(|t| !t.is_empty()).collect();
    if !tokens.len().is_multiple_of(2) {
        return Err("Expecting one or more \"ranges\"".to_owned());
    }
    let mut ranges = Vec::with_capacity(tokens.len() / 2);
    for pair in tokens.chunks_exact(2) {
        let (Ok(begin), Ok(end)) = (pair[0].parse(), pair[1].parse()) else {
            return Err(format!("Expecting non-negative integers in '{}'", pair[0]));
        };
        ranges.push(Range { begin, end });
    }
    Ranges::new(ranges).map_err(|e: ResourceError| e.to_string())
}

/// Whether brackets close in the order in which they open.
fn balanced(text: &str, pair: &str) -> bool {
    let (open, close) = pair.split_at(1);
    let mut depth = 0_u32;
    for c in text.chars() {
        if open.starts_with(c) {
            depth += 1;
        } else if close.starts_with(c) {
            let Some(less) = depth.checked_sub(1) else {
                return false;
            };
            depth = less;
        }
    }
    depth == 0
}

impl From<Value> for ParsedValue {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_flags() {
        let r =
            Resources::parse("cpus:4; mem : 2048;ports:[31000-32000, 1-2];cpus(role):2;zones:{a,b}").unwrap();
        assert_eq!(r.cpus(), Some(Scalar::whole(6)));
        assert_eq!(r.mem(), Some(Scalar::whole(2048)));
        assert_eq!(r.ports().unwrap().to_string(), "[1-2, 31000-32000]");
        assert_eq!(r.reserved_for(&Role::from("role")).cpus(), Some(Scalar::whole(2)));
        assert_eq!(Resources::parse("").unwrap(), Resources::new());
        let all = Resources::parse_for_role("cpus:1;cpus(*):2", &Role::from("web")).unwrap();
        assert_eq!(all.to_string(), "cpus(reservations: [(STATIC,web)]):1; cpus:2");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("cpus", "Bad value for resources, missing or extra ':' in cpus"),
            ("cpus:1:2", "Bad value for resources, missing or extra ':' in cpus:1:2"),
            ("cpus(a:1", "Bad value for resources, mismatched parentheses in cpus(a:1"),
            ("ports:[1-2", "Failed to parse resource ports value [1-2 error Mismatched brackets"),
            ("ports:[1]", "Failed to parse resource ports value [1] error Expecting one or more \"ranges\""),
            ("cpus:x", "Bad type for resource cpus value x type TEXT"),
            ("cpus:-1", "Bad type for resource cpus value -1 type TEXT"),
            ("cpus:nan", "Bad type for resource cpus value nan type TEXT"),
            ("cpus:1;cpus:{a}", "Resources with the same name ('cpus') but different types are not allowed"),
            ("cpus(/a):1", "Role '/a' cannot start with a slash"),
        ] {
            assert_eq!(Resources::parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
