//! `a=b&c=d` or `a=b;c=d`, as queries and the bodies of v0 endpoints have it.

/// The names and values of a query or of a form, decoded; a name without `=` has an empty value.
#[must_use]
pub fn parse_form(text: &str) -> Vec<(String, String)> {
    text.split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The value of a name; the last one where it comes twice.
#[must_use]
pub fn value_of<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().rev().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
}

/// Resolves `+` and `%XX`; a `%` without two digits stands for itself.
pub(crate) fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let form = parse_form("path=%2Fa+b&offset&limit=5&limit=6&x=%zz%4&&=y");
        assert_eq!(value_of(&form, "path"), Some("/a b"));
        assert_eq!(value_of(&form, "offset"), Some(""));
        assert_eq!(value_of(&form, "limit"), Some("6"));
        assert_eq!(value_of(&form, "x"), Some("%zz%4"));
        assert_eq!(value_of(&form, ""), Some("y"));
        assert_eq!(value_of(&form, "none"), None);
        assert_eq!(parse_form("a=1;b=%3B&c=3").len(), 3);
        assert_eq!(value_of(&parse_form("a=1;b=%3B"), "b"), Some(";"));
        assert_eq!(parse_form("a=%ff%C3%A9"), [("a".into(), "\u{fffd}é".into())]);
    }
}
