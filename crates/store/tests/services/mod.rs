//! Real coordination services, started by a test on ports and in directories of their own; and what makes them fail.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod etcd;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod zookeeper;
