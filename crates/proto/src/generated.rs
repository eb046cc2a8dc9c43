//! What `prost` generated, in modules that follow the protobuf packages.
//!
//! The comments on the messages are in the `.proto` files.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated from the .proto files"
)]

pub mod google {
    pub mod protobuf {
        include!(concat!(env!("OUT_DIR"), "/google.protobuf.rs"));
    }
}

pub mod mesos {
    pub mod internal {
        include!(concat!(env!("OUT_DIR"), "/mesos.internal.rs"));
        pub mod state {
            include!(concat!(env!("OUT_DIR"), "/mesos.internal.state.rs"));
        }
    }
    pub mod v0 {
        include!(concat!(env!("OUT_DIR"), "/mesos.v0.rs"));
    }
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/mesos.v1.rs"));
        pub mod agent {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.agent.rs"));
        }
        pub mod allocator {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.allocator.rs"));
        }
        pub mod executor {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.executor.rs"));
        }
        pub mod maintenance {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.maintenance.rs"));
        }
        pub mod master {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.master.rs"));
        }
        pub mod quota {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.quota.rs"));
        }
        pub mod resource_provider {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.resource_provider.rs"));
            pub mod registry {
                include!(concat!(env!("OUT_DIR"), "/mesos.v1.resource_provider.registry.rs"));
            }
        }
        pub mod scheduler {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.scheduler.rs"));
        }
    }
}
