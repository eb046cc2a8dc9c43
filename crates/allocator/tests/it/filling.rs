//! Progressive filling: frameworks that take one task after the other as long as they are offered enough. For tests of who
//! gets how much.

use resources::Resources;

use crate::cluster::{Cluster, fw, res};

/// A framework that runs as many tasks of one size as it can get.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) task: Resources,
}

/// Lets every framework take tasks of its size until nobody takes any more; how many each got. Of the offers of a cycle
/// only the first is answered, so that it is always the one who is due who takes a task.
pub(crate) fn fill(cluster: &mut Cluster, demands: &[(&str, &str)]) -> Vec<usize> {
    let users: Vec<_> =
        demands.iter().map(|(id, task)| User { id: (*id).to_owned(), task: res(task) }).collect();
    fill_with(cluster, &users).iter().map(Vec::len).collect()
}

/// As [`fill`]; for each framework its tasks' turns, counted over all frameworks.
pub(crate) fn fill_with(cluster: &mut Cluster, users: &[User]) -> Vec<Vec<usize>> {
    let mut turns = vec![Vec::new(); users.len()];
    let mut turn = 0;
    loop {
        let mut offers = cluster.allocator.allocate_all(cluster.now).into_iter();
        let Some(offer) = offers.next() else { return turns };
        for other in offers {
            cluster.allocator.recover_offered(&other.framework, &other.agent, &other.resources);
        }
        let at = users.iter().position(|user| fw(&user.id) == offer.framework).expect("a user");
        let task = users[at].task.clone().allocated_to(&offer.role);
        if offer.resources.contains(&task) {
            cluster.accept(&offer, &users[at].task.to_string(), 0);
            turns[at].push(turn);
            turn += 1;
        } else {
            cluster.decline(&offer, 1_000_000);
        }
    }
}
