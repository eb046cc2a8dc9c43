//! Wrong requests are answered as Mesos answers them, and disturb nobody.

use conformance::cluster::Cluster;
use conformance::scenarios;
use conformance::wrong_requests::{self, cases};

/// Endpoints that are not there yet, by the beginning of their cases' names: the v0 endpoints that change things.
const NOT_YET: &[&str] = &[];

#[test]
fn wrong_requests_are_answered_as_mesos_answers_them() {
    let cluster = Cluster::start(1).unwrap();
    let target = cluster.target();
    let wanted = |name: &str| !NOT_YET.iter().any(|prefix| name.starts_with(prefix));
    let cases = cases().unwrap();
    let differences: Vec<String> = cases
        .iter()
        .filter(|case| wanted(&case.name))
        .flat_map(|case| wrong_requests::differences(case, &target))
        .collect();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));

    // The cluster works as before.
    let finish = scenarios::find("finish").unwrap();
    assert_eq!(scenarios::run(finish, &target).unwrap().differences, Vec::<String>::new());
}
