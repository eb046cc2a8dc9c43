//! The laws that collections of resources obey, on random ones.

use proptest::prelude::*;
use resources::{
    Details, Disk, DiskKind, DiskSource, Name, Persistence, Range, Ranges, Reservation, Resource, Resources,
    Role, Scalar, Set, Value,
};

fn value() -> impl Strategy<Value = (Name, Value)> {
    let scalar = |name: &'static str| {
        (0_i64..5000).prop_map(move |n| (Name::from(name), Value::Scalar(Scalar::from_thousandths(n))))
    };
    let ports = prop::collection::vec((0_u64..50, 0_u64..6), 0..4).prop_map(|pairs| {
        let ranges = pairs.into_iter().map(|(begin, n)| Range { begin, end: begin + n });
        (Name::Ports, Value::Ranges(Ranges::new(ranges).unwrap()))
    });
    let zones = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3)
        .prop_map(|items| (Name::from("zones"), Value::Set(Set::new(items))));
    prop_oneof![4 => scalar("cpus"), 2 => scalar("mem"), 1 => scalar("custom"), 2 => ports, 1 => zones]
}

fn divisible() -> impl Strategy<Value = Resource> {
    let role = prop::sample::select(vec![None, Some("a"), Some("a/b")]);
    let allocation = prop::sample::select(vec![None, Some("x"), Some("y")]);
    (value(), role, allocation, prop::bool::weighted(0.1)).prop_map(
        |((name, value), role, allocation, revocable)| {
            let reservations = role.map(|role| Reservation::fixed(Role::from(role))).into_iter().collect();
            let mut resource = Resource::new(name, value).with_details(Details {
                reservations,
                revocable,
                ..Details::default()
            });
            resource.allocation = allocation.map(Role::from);
            resource
        },
    )
}

/// A disk that can only be had whole; each has an id of its own, as on a real agent.
fn whole_disk(id: u32) -> Resource {
    let kinds = [DiskKind::Mount, DiskKind::Block, DiskKind::Path];
    let source = DiskSource { id: Some(format!("{id}").into()), ..DiskSource::new(kinds[id as usize % 3]) };
    let persistence = (id % 3 == 2).then(|| Persistence { id: format!("{id}").into(), principal: None });
    let disk = Some(Disk { source: Some(source), persistence, volume: None });
    Resource::scalar("disk", Scalar::whole(10)).with_details(Details { disk, ..Details::default() })
}

fn collection() -> impl Strategy<Value = Resources> {
    prop::collection::vec(divisible(), 0..8).prop_map(Resources::from_iter)
}

fn sum(a: &Resources, b: &Resources) -> Resources {
    let mut sum = a.clone();
    sum += b;
    sum
}

proptest! {
    #[test]
    fn adding_commutes_and_associates(a in collection(), b in collection(), c in collection()) {
        prop_assert_eq!(sum(&a, &b), sum(&b, &a));
        prop_assert_eq!(sum(&sum(&a, &b), &c), sum(&a, &sum(&b, &c)));
        prop_assert_eq!(sum(&a, &Resources::new()), a);
    }

    #[test]
    fn a_sum_contains_its_parts(a in collection(), b in collection()) {
        let total = sum(&a, &b);
        prop_assert!(total.contains(&a) && total.contains(&b));
        prop_assert!(a.contains(&Resources::new()));
    }

    #[test]
    fn what_was_taken_and_put_back_is_the_same(a in collection(), b in collection()) {
        let total = sum(&a, &b);
        let mut rest = total.clone();
        prop_assert!(rest.subtract(&b).is_ok());
        // Of what is in both, ranges and sets have it once: then the rest is less than `a`.
        prop_assert!(a.contains(&rest));
        rest += &b;
        prop_assert_eq!(rest, total);
    }

    #[test]
    fn a_refused_subtraction_changes_nothing(a in collection(), b in collection()) {
        let mut rest = a.clone();
        let taken = rest.subtract(&b);
        prop_assert_eq!(taken.is_ok(), a.contains(&b));
        if taken.is_err() {
            prop_assert_eq!(rest, a);
        }
    }

    #[test]
    fn containing_each_other_is_being_equal(a in collection(), b in collection()) {
        prop_assert_eq!(a == b, a.contains(&b) && b.contains(&a));
    }

    #[test]
    fn nothing_empty_and_nothing_mergeable_is_kept(a in collection(), b in collection()) {
        let mut rest = sum(&a, &b);
        rest -= &a;
        let all: Vec<_> = rest.iter().collect();
        for (i, one) in all.iter().enumerate() {
            prop_assert!(!one.is_empty());
            prop_assert!(all[i + 1..].iter().all(|other| !one.is_addable(other)));
        }
    }

    #[test]
    fn allocating_and_back(a in collection()) {
        let plain = a.clone().unallocated();
        let role = Role::from("r");
        let allocated = plain.clone().allocated_to(&role);
        prop_assert!(allocated.iter().all(|r| r.allocation.as_ref() == Some(&role)));
        prop_assert_eq!(allocated.allocations().len(), usize::from(!plain.is_empty()));
        prop_assert_eq!(allocated.unallocated(), plain);
    }

    #[test]
    fn parts_make_up_the_whole(a in collection()) {
        prop_assert_eq!(sum(&a.reserved(), &a.unreserved()), a.clone());
        prop_assert_eq!(sum(&a.revocable(), &a.non_revocable()), a.clone());
        let mut by_role = a.unreserved();
        for reserved in a.reservations().values() {
            by_role += reserved;
        }
        prop_assert_eq!(by_role, a);
    }

    #[test]
    fn quantities_are_sums(a in collection(), b in collection()) {
        let mut quantities = a.quantities();
        quantities += &b.quantities();
        prop_assert_eq!(sum(&a, &b).quantities(), quantities);
    }

    #[test]
    fn indivisible_disks_are_taken_whole(ids in prop::collection::btree_set(0_u32..12, 0..6), a in collection()) {
        let disks: Resources = ids.iter().map(|id| whole_disk(*id)).collect();
        prop_assert_eq!(disks.len(), ids.len());
        let all = sum(&a, &disks);
        for id in 0..12 {
            let disk = Resources::from(whole_disk(id));
            prop_assert_eq!(all.contains(&disk), ids.contains(&id));
            let half = Resources::from(whole_disk(id).with_value(Value::Scalar(Scalar::whole(5))));
            prop_assert!(!all.contains(&half));
        }
        let mut rest = all;
        prop_assert!(rest.subtract(&disks).is_ok());
        prop_assert_eq!(rest, a);
    }

    #[test]
    fn the_text_form_of_plain_resources_reads_back(a in collection()) {
        let plain = a.unallocated().to_unreserved().non_revocable();
        let text = plain.to_string();
        prop_assert_eq!(Resources::parse(if text == "{}" { "" } else { &text }).unwrap(), plain);
    }
}
