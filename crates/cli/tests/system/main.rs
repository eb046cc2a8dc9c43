//! A cluster of real processes, each on a network host of its own: three masters, five agents, a real coordination service
//! and a framework with two hundred running tasks. Servers and the framework are killed, stopped, cut off and replaced; no
//! task may be lost or run twice, and nobody may have to help.
//!
//! Needs root, for namespaces and control groups.

mod book;
mod cluster;
mod evidence;
mod framework;
mod instance;
mod line;
#[path = "../../../store/tests/services/process.rs"]
#[allow(dead_code, reason = "used in part")]
mod process;
mod scenes;
mod services;
mod world;

use services::Kind::{Etcd, ZooKeeper};

#[test]
fn leaders_fail_on_zookeeper() {
    scenes::leaders::fail(ZooKeeper);
}

#[test]
fn leaders_fail_on_etcd() {
    scenes::leaders::fail(Etcd);
}

#[test]
fn the_network_splits_on_zookeeper() {
    scenes::splits::split(ZooKeeper);
}

#[test]
fn the_network_splits_on_etcd() {
    scenes::splits::split(Etcd);
}

#[test]
fn links_carry_one_way_only_on_zookeeper() {
    scenes::one_way::carry(ZooKeeper);
}

#[test]
fn links_carry_one_way_only_on_etcd() {
    scenes::one_way::carry(Etcd);
}

#[test]
fn an_agent_stays_dead_on_zookeeper() {
    scenes::dead::stay(ZooKeeper);
}

#[test]
fn an_agent_stays_dead_on_etcd() {
    scenes::dead::stay(Etcd);
}

#[test]
fn everything_is_replaced_under_load_on_zookeeper() {
    scenes::upgrade::replace_all(ZooKeeper);
}

#[test]
fn everything_is_replaced_under_load_on_etcd() {
    scenes::upgrade::replace_all(Etcd);
}

#[test]
fn the_service_fails_on_zookeeper() {
    scenes::outages::fail(ZooKeeper);
}

#[test]
fn the_service_fails_on_etcd() {
    scenes::outages::fail(Etcd);
}
