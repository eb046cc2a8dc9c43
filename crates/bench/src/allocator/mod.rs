//! How fast the allocator is by itself, on the workloads and parameters of Apache Mesos' own allocator benchmarks and on
//! three of ours.
//!
//! Mesos' clock is paused and advanced by its allocation interval; here too a cycle is one call that offers all it can, and
//! the time of the calls before it is printed beside it.

mod agents;
mod backlog;
mod change;
mod cluster;
mod cycle;
mod decline;
mod memory;
mod metrics;
mod operations;
mod parts;
mod profiles;
mod quota;
mod reference;
mod suppress;
mod volumes;

use clap::{Args, ValueEnum};

use crate::report::{cores, figure};

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure; everything if nothing is named.
    workloads: Vec<Workload>,
    /// Agents, instead of the workload's own sizes.
    #[arg(long)]
    agents: Option<usize>,
    /// Frameworks, instead of the workload's own sizes.
    #[arg(long)]
    frameworks: Option<usize>,
    /// At most so many cycles where Mesos' benchmark runs two for each framework.
    #[arg(long)]
    rounds: Option<usize>,
    /// Small sizes: all of it in some seconds.
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Workload {
    /// Memory for agents, offers and refusals. Ours; it comes first, because it measures how this program grows.
    Memory,
    /// Agents join one after the other, then each gets something that can be taken away.
    AddAndUpdateAgents,
    /// Each framework declines every offer for good, until nobody wants any more.
    DeclineOffers,
    /// The same with reservations whose labels differ from agent to agent.
    ResourceLabels,
    /// Everything is offered again while more and more frameworks want nothing.
    SuppressOffers,
    /// The same with 99 % of the frameworks that want nothing.
    ExtremeSuppressOffers,
    /// Everything is offered again on agents with persistent volumes, shared or not.
    PersistentVolumes,
    /// What the allocator tells of itself, with a quota for each framework.
    Metrics,
    /// Every framework revives while there is nothing to offer.
    Backlog,
    /// A framework reserves and unreserves on an agent with many reservations.
    UpdateAllocation,
    /// Frameworks of three kinds launch their tasks.
    MultiFramework,
    /// Quotas of a part of an agent and of several agents.
    LargeAndSmallQuota,
    /// The same offers, for quotas and without.
    QuotaOrNot,
    /// All agents to all frameworks at once. Ours.
    FullCycle,
    /// A busy cluster in which one thing changes. Ours.
    OneChange,
}

/// How large the cluster is.
#[derive(Clone, Copy)]
struct Size {
    agents: usize,
    frameworks: usize,
}

const fn size(agents: usize, frameworks: usize) -> Size {
    Size { agents, frameworks }
}

impl Workload {
    /// The sizes that are measured unless others are asked for: of Mesos' 48, those where the figures of the C++ one are
    /// known, and the largest.
    fn sizes(self) -> &'static [Size] {
        const KNOWN: [Size; 3] = [size(20_000, 1000), size(20_000, 3000), size(50_000, 6000)];
        const DECLINE: [Size; 2] = [size(1000, 1000), size(10_000, 1000)];
        const LABELS: [Size; 1] = [size(1000, 1000)];
        const OURS: [Size; 1] = [size(20_000, 2000)];
        const FIXED: [Size; 1] = [size(0, 0)];
        match self {
            Self::AddAndUpdateAgents
            | Self::SuppressOffers
            | Self::ExtremeSuppressOffers
            | Self::PersistentVolumes
            | Self::Metrics
            | Self::Backlog => &KNOWN,
            Self::DeclineOffers => &DECLINE,
            Self::ResourceLabels => &LABELS,
            Self::FullCycle | Self::OneChange | Self::Memory => &OURS,
            Self::UpdateAllocation | Self::MultiFramework | Self::LargeAndSmallQuota | Self::QuotaOrNot => {
                &FIXED
            }
        }
    }

    fn has_sizes(self) -> bool {
        self.sizes().iter().all(|size| size.agents > 0)
    }

    fn run(self, options: &Options, size: Size) {
        match self {
            Self::AddAndUpdateAgents => agents::run(size),
            Self::DeclineOffers => decline::run(size, options.rounds, decline::Kind::Plain),
            Self::ResourceLabels => decline::run(size, options.rounds, decline::Kind::Labels),
            Self::SuppressOffers => suppress::run(size, suppress::Kind::Growing),
            Self::ExtremeSuppressOffers => suppress::run(size, suppress::Kind::Extreme),
            Self::PersistentVolumes => volumes::run(size),
            Self::Metrics => metrics::run(size),
            Self::Backlog => backlog::run(size),
            Self::UpdateAllocation => operations::run(options.quick),
            Self::MultiFramework => profiles::run(),
            Self::LargeAndSmallQuota => quota::large_and_small(options.quick),
            Self::QuotaOrNot => quota::or_not(options.quick),
            Self::FullCycle => cycle::run(size),
            Self::OneChange => change::run(size, options.quick),
            Self::Memory => memory::run(size),
        }
    }
}

pub(crate) fn run(options: &Options) {
    let all = Workload::value_variants();
    let workloads = if options.workloads.is_empty() { all } else { &options.workloads };
    figure("cores", cores());
    let mut workloads = workloads.to_vec();
    workloads.sort_by_key(|workload| *workload != Workload::Memory);
    for workload in workloads {
        let sizes: &[Size] = if options.quick { &[size(1000, 200)] } else { workload.sizes() };
        let sizes = if workload.has_sizes() { sizes } else { workload.sizes() };
        if options.agents.is_some() || options.frameworks.is_some() {
            let size = Size {
                agents: options.agents.unwrap_or(sizes[0].agents),
                frameworks: options.frameworks.unwrap_or(sizes[0].frameworks),
            };
            headed(workload, options, size);
        } else {
            for &size in sizes {
                headed(workload, options, size);
            }
        }
    }
}

fn headed(workload: Workload, options: &Options, size: Size) {
    let name = workload.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    if workload.has_sizes() {
        println!("\n{name}: {} agents, {} frameworks", size.agents, size.frameworks);
    } else {
        println!("\n{name}");
    }
    workload.run(options, size);
}
