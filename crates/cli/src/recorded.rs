//! Answers that a real Mesos 1.12 gave, for tests: what is shown must come out of these as well as out of ours.

use std::path::Path;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recorded").join(format!("{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An answer of an older endpoint.
pub(crate) fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(name)).unwrap()
}

/// An answer of the operator API.
pub(crate) fn message<M: proto::Message + Default + proto::Described>(name: &str) -> M {
    proto::json::from_slice(&read(name)).unwrap()
}

/// Events of the operator API, one in each line.
pub(crate) fn lines<M: proto::Message + Default + proto::Described>(name: &str) -> Vec<M> {
    let text = read(name);
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| proto::json::from_slice(line).unwrap())
        .collect()
}
