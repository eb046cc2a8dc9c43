//! Which timers still matter: the core never takes one back, it ignores those that have become outdated.

use crate::agents;
use crate::core::MasterCore;
use crate::input::Timer;

impl MasterCore {
    /// Tells of timers whether something will come of them as things are now. One of which nothing will, will not matter
    /// later either, and can be forgotten by who keeps them.
    pub fn awaited_timers(&self) -> impl Fn(&Timer) -> bool {
        move |timer| match timer {
            Timer::Ping(id, generation) => agents::awaits_ping(self, id, *generation),
            Timer::Reregister(id, generation) => self.agents.reregistration.get(id) == Some(generation),
            Timer::Failover(id, generation) => self.frameworks.away.get(id) == Some(generation),
            Timer::Allocation
            | Timer::AllocationInterval
            | Timer::RecoveredAgents
            | Timer::Removal
            | Timer::RegistryGc
            | Timer::AllocationRecovery => true,
            Timer::Offer(framework_id, id) => {
                self.frameworks.get(framework_id).is_some_and(|framework| framework.offers.contains_key(id))
            }
        }
    }
}
