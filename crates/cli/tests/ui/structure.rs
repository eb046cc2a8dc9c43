//! Whether a page is well-formed, and has what readers without eyes or mouse need. Browsers forgive what this does not.

use std::collections::BTreeSet;

/// Elements that have no end.
const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "wbr"];

/// An opening tag.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    /// The names of the elements that it is in.
    within: Vec<String>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

/// All that is wrong with a page.
pub(crate) fn faults(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(rest) = page.strip_prefix("<!DOCTYPE html>") else {
        return vec!["it does not begin with its document type".to_owned()];
    };
    let tags = read(rest, &mut faults);
    let count = |name: &str| tags.iter().filter(|tag| tag.is(name)).count();
    for (name, wanted) in [("html", 1), ("title", 1), ("main", 1), ("h1", 1), ("header", 1)] {
        if count(name) != wanted {
            faults.push(format!("{} elements {name}", count(name)));
        }
    }
    let mut ids = BTreeSet::new();
    for id in tags.iter().filter_map(|tag| tag.get("id")) {
        if !ids.insert(id) {
            faults.push(format!("id {id} twice"));
        }
    }
    for tag in &tags {
        check(tag, &tags, &ids, &mut faults);
    }
    faults
}

fn check(tag: &Tag, tags: &[Tag], ids: &BTreeSet<&str>, faults: &mut Vec<String>) {
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{} {:?}: {what}", tag.name, tag.attributes));
        }
    };
    let ids_exist =
        |name: &str| tag.get(name).is_none_or(|value| value.split(' ').all(|id| ids.contains(id)));
    demand(ids_exist("for") && ids_exist("aria-labelledby"), "it names an id that is nobody's");
    let is_inline = |(name, _): &(String, String)| name == "style" || name.starts_with("on");
    demand(!tag.attributes.iter().any(is_inline), "inline script or style");
    match tag.name.as_str() {
        "html" => demand(tag.get("lang").is_some(), "no language"),
        "th" => demand(tag.get("scope").is_some(), "no scope"),
        "a" => demand(tag.get("href").is_some_and(|href| !href.is_empty()), "it leads nowhere"),
        "script" => demand(tag.get("src").is_some(), "an inline script"),
        "svg" => {
            let named = tag.get("role") == Some("img") && tag.get("aria-label").is_some();
            demand(named || tag.get("aria-hidden") == Some("true"), "neither named nor hidden");
        }
        "input" | "select" if tag.get("type") != Some("hidden") => {
            let id = tag.get("id");
            let labelled =
                tags.iter().any(|other| other.is("label") && id.is_some() && other.get("for") == id);
            demand(labelled || tag.within.iter().any(|name| name == "label"), "no label");
        }
        "section" => {
            demand(
                tag.get("aria-label").or(tag.get("aria-labelledby")).is_some(),
                "a section without a name",
            );
        }
        _ => {}
    }
    for (name, value) in &tag.attributes {
        let outside = ["href", "src", "action"].contains(&name.as_str()) && value.contains("//");
        demand(!outside || tag.get("rel").is_some_and(|rel| rel.contains("noopener")), "it leads elsewhere");
    }
}

/// The opening tags of a page; ends that are missing or too many are faults.
fn read(page: &str, faults: &mut Vec<String>) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((inside, behind)) = after.split_once('>') else {
            faults.push("a tag without an end".to_owned());
            break;
        };
        rest = behind;
        if let Some(name) = inside.strip_prefix('/') {
            match open.pop() {
                Some(begun) if begun == name => {}
                begun => faults.push(format!("</{name}> ends {begun:?}")),
            }
            continue;
        }
        let inside = inside.strip_suffix('/').map_or(inside, str::trim_end);
        let ends_itself = after.as_bytes().get(inside.len()) == Some(&b'/');
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        tags.push(Tag { name: name.to_owned(), attributes: pairs(attributes), within: open.clone() });
        if !ends_itself && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    if !open.is_empty() {
        faults.push(format!("without an end: {open:?}"));
    }
    tags
}

/// `a="b" c` as pairs. In what the pages write a value has no quotes and no `>`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let name_end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let value = after.strip_prefix("=\"").and_then(|value| value.split_once('"'));
        let (value, after) = value.unwrap_or(("", after));
        pairs.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    pairs
}

#[test]
fn faults_are_found() {
    let page = |body: &str| {
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>t</title></head><body><header></header><main>{body}</main></body></html>"
        )
    };
    assert_eq!(faults(&page("<h1>good</h1><input type=\"hidden\" name=\"x\">")), Vec::<String>::new());
    for wrong in [
        "<h1>no end",
        "<h1>a</h1><p><b>crossed</p></b>",
        "<h1 id=\"a\">a</h1><p id=\"a\">twice</p>",
        "<h1>a</h1><input type=\"text\" name=\"x\">",
        "<h1>a</h1><table><tr><th>no scope</th></tr></table>",
        "<h1 onclick=\"x()\">a</h1>",
        "<h1>a</h1><script>x()</script>",
        "<h1>a</h1><a href=\"http://elsewhere/\">b</a>",
        "<h1>a</h1><svg></svg>",
        "<h1>a</h1><section aria-labelledby=\"none\"></section>",
    ] {
        assert_ne!(faults(&page(wrong)), Vec::<String>::new(), "{wrong}");
    }
    assert_ne!(faults("<html></html>"), Vec::<String>::new());
}
