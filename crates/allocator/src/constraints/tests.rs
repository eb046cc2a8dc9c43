//! What Mesos' `offer_constraints_filter_tests.cpp` protects, as far as it is about agents; what is about messages is
//! in the master.

use resources::{ParsedValue, Value, parse_value_or_text};

use super::*;

fn attribute(name: &str, predicate: Predicate) -> Condition {
    Condition { selector: Selector::Attribute(name.to_owned()), predicate }
}

fn one(condition: Condition) -> Constraints {
    Constraints { any_of: vec![vec![condition]] }
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text, RegexLimits::default()).unwrap()
}

/// An agent with attributes as `--attributes` has them.
fn agent(attributes: &str) -> AgentTraits {
    let attributes = attributes.split(';').filter(|attribute| !attribute.is_empty()).map(|attribute| {
        let (name, value) = attribute.split_once(':').unwrap();
        let value = match parse_value_or_text(value).unwrap() {
            ParsedValue::Value(Value::Scalar(scalar)) => AttributeValue::Scalar(scalar),
            ParsedValue::Value(Value::Ranges(ranges)) => AttributeValue::Ranges(ranges),
            ParsedValue::Value(Value::Set(set)) => AttributeValue::Set(set),
            ParsedValue::Text(text) => AttributeValue::Text(text),
        };
        (name.to_owned(), value)
    });
    AgentTraits { attributes: attributes.collect(), ..AgentTraits::default() }
}

/// Each line is an agent's attributes and whether it is permitted.
#[track_caller]
fn check(constraints: &Constraints, agents: &[(&str, bool)]) {
    for (attributes, permitted) in agents {
        assert_eq!(constraints.permits(&agent(attributes)), *permitted, "{attributes}: {constraints}");
    }
}

#[test]
fn named_attribute_exists() {
    let constraints = one(attribute("bar", Predicate::Exists));
    check(&constraints, &[("bar:123", true), ("foo:123", false), ("foo:123;bar:456", true)]);
}

#[test]
fn named_attribute_not_exists() {
    let constraints = one(attribute("bar", Predicate::NotExists));
    check(&constraints, &[("bar:123", false), ("foo:123", true), ("foo:123;bar:456", false)]);
}

#[test]
fn named_attribute_text_equals() {
    let constraints = one(attribute("bar", Predicate::TextEquals("baz".to_owned())));
    let no_text = [("bar:123", true), ("bar:[1-17]", true), ("bar:{a}", true)];
    check(&constraints, &no_text);
    check(&constraints, &[("bar:baz", true), ("bar:zab", false), ("foo:baz", false)]);
}

#[test]
fn named_attribute_text_not_equals() {
    let constraints = one(attribute("bar", Predicate::TextNotEquals("baz".to_owned())));
    check(&constraints, &[("bar:123", true), ("bar:[1-17]", true)]);
    check(&constraints, &[("bar:baz", false), ("bar:zab", true), ("foo:baz", true)]);
}

#[test]
fn two_attributes_with_the_same_name() {
    let constraints = one(attribute("bar", Predicate::TextEquals("baz".to_owned())));
    check(&constraints, &[("bar:baz;bar:foo", true), ("bar:123;bar:foo", true)]);
    check(&constraints, &[("bar:foo;bar:baz", false), ("bar:foo;bar:123", false)]);
}

#[test]
fn named_attribute_text_matches() {
    let constraints = one(attribute("bar", Predicate::TextMatches(pattern("[a-d]+"))));
    check(&constraints, &[("bar:abcd", true), ("bar:123", true), ("bar:[1-17]", true)]);
    check(&constraints, &[("bar:bcde", false), ("foo:abcd", false)]);
}

#[test]
fn named_attribute_text_not_matches() {
    let constraints = one(attribute("bar", Predicate::TextNotMatches(pattern("[a-d]+"))));
    check(&constraints, &[("bar:abcd", false), ("bar:123", true), ("bar:[1-17]", true)]);
    check(&constraints, &[("bar:bcde", true), ("foo:abcd", true)]);
}

#[track_caller]
fn refused(text: &str) -> String {
    Pattern::new(text, RegexLimits::default()).map_err(|error| error.to_string()).unwrap_err()
}

#[test]
fn invalid_text_matches() {
    assert_eq!(refused("[a-d"), "Failed to construct regex from pattern '[a-d': missing ]: [a-d");
}

#[test]
fn regex_too_complex() {
    let _ = pattern("(a+){10}");
    let text = refused("(a+){50}");
    assert!(text.starts_with("Regex '(a+){50}' is too complex: program size of "), "{text}");
    assert!(text.ends_with(" is larger than maximum of 100 allowed"), "{text}");
    let too_large = |text: &str| {
        let expected =
            format!("Failed to construct regex from pattern '{text}': pattern too large - compile failed");
        assert_eq!(refused(text), expected);
    };
    too_large("(a+){500}");
    too_large("((a{1000}){1000}){1000}");
    let roomy = RegexLimits { max_mem: 1 << 20, max_program_size: 10_000 };
    Pattern::new("(a+){500}", roomy).unwrap();
}

#[test]
fn two_constraints_in_group() {
    let constraints = Constraints {
        any_of: vec![vec![attribute("foo", Predicate::Exists), attribute("bar", Predicate::NotExists)]],
    };
    check(&constraints, &[("", false), ("foo:123", true), ("bar:456", false)]);
    check(&constraints, &[("bar:123;foo:456", false), ("baz:123;foo:456", true)]);
}

#[test]
fn two_groups() {
    let constraints = Constraints {
        any_of: vec![vec![attribute("foo", Predicate::Exists)], vec![attribute("bar", Predicate::NotExists)]],
    };
    check(&constraints, &[("", true), ("baz:123", true), ("bar:123", false), ("bar:123;foo:456", true)]);
}

#[test]
fn default_offer_constraints() {
    assert!(Constraints::default().permits(&AgentTraits::default()));
}

/// An agent without a fault domain has neither region nor zone; every agent has a hostname.
#[test]
fn pseudoattributes() {
    let agent = AgentTraits { hostname: "h1".to_owned(), ..AgentTraits::default() };
    let placed = AgentTraits { region: Some("r".to_owned()), zone: Some("z".to_owned()), ..agent.clone() };
    let is = |selector: Selector, value: &str| {
        one(Condition { selector, predicate: Predicate::TextEquals(value.to_owned()) })
    };
    assert!(is(Selector::Hostname, "h1").permits(&agent) && !is(Selector::Hostname, "h2").permits(&agent));
    for (selector, value) in [(Selector::Region, "r"), (Selector::Zone, "z")] {
        assert!(is(selector.clone(), value).permits(&placed));
        assert!(!is(selector.clone(), value).permits(&agent));
        assert!(!is(selector.clone(), "x").permits(&placed));
        assert!(one(Condition { selector, predicate: Predicate::NotExists }).permits(&agent));
    }
    assert!(!one(attribute("region", Predicate::Exists)).permits(&placed));
}

/// As RE2 matches, in what differs among libraries.
#[test]
fn patterns_match_as_re2_does() {
    for (text, matched, not_matched) in [
        ("a|ab", "ab", "abc"),
        ("h[0-9]", "h1", "xh1"),
        (r"\d+", "12", "١٢"),
        (r"\w+", "a_1", "ä"),
        (".", "ä", "\n"),
        ("(?s).", "\n", "ab"),
        ("[^a]", "\n", "a"),
        ("(?i)RACK", "rack", "rac"),
        ("a$", "a", "a\n"),
        ("(?m)a$\n", "a\n", "a"),
        (r"a\b.*", "a b", "ab"),
        (r"\C\C", "ä", "a"),
        (r"\pL+", "äß", "a1"),
        ("[[:digit:]-]+", "1-2", "a"),
        ("", "", "a"),
    ] {
        let roomy = RegexLimits { max_mem: 1 << 20, max_program_size: 10_000 };
        let pattern = Pattern::new(text, roomy).unwrap();
        assert!(pattern.matches(matched), "{text} does not match {matched:?}");
        assert!(!pattern.matches(not_matched), "{text} matches {not_matched:?}");
    }
}

#[test]
fn conditions_can_be_read() {
    let constraints = Constraints {
        any_of: vec![
            vec![
                attribute("rack", Predicate::TextEquals("a".to_owned())),
                attribute("ssd", Predicate::Exists),
            ],
            vec![Condition {
                selector: Selector::Hostname,
                predicate: Predicate::TextMatches(pattern("big-.*")),
            }],
        ],
    };
    assert_eq!(
        constraints.to_string(),
        "attribute 'rack' is 'a' and attribute 'ssd' exists, or the hostname matches 'big-.*'"
    );
}
