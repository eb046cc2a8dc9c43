//! Wrong requests are answered as Mesos answers them, and disturb nobody.

use conformance::cluster::Cluster;
use conformance::scenarios;
use conformance::wrong_requests::{self, cases};

#[test]
fn wrong_requests_are_answered_as_mesos_answers_them() {
    let cluster = Cluster::start(1).unwrap();
    let target = cluster.target();
    let cases = cases().unwrap();
    let differences: Vec<String> =
        cases.iter().flat_map(|case| wrong_requests::differences(case, &target)).collect();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));

    // The cluster works as before.
    let finish = scenarios::find("finish").unwrap();
    assert_eq!(scenarios::run(finish, &target).unwrap().differences, Vec::<String>::new());
}
