//! The network: links that carry packets in order, or break.
//!
//! A link is a TCP connection as its users see it. What goes over one link arrives in the order in which it was sent; over
//! two links in any order, but that a receiver that has read from a new link of some process reads no more from a former one.
//! What is lost is the end of what was sent, together with the link, and the sender learns of that some time later. Between processes that are cut off from each other nothing arrives;
//! it waits, until they can reach each other again or the link is given up.

mod link;
mod packet;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Rng, Time};

use crate::dice::Dice;
use crate::faults::{Rule, Verdict};
use crate::node::Node;
use crate::queue::{Event, Queue};

pub(crate) use link::{Carries, Link, LinkId};
pub(crate) use packet::Packet;

/// How soon a process hears that the other side's process died: the kernel there answers for it.
const RESET: Duration = Duration::from_millis(2);
/// How long a link waits for acknowledgements before it is given up.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// All links, and who can reach whom.
#[derive(Debug)]
pub(crate) struct Network {
    links: BTreeMap<LinkId, Link>,
    /// The link over which one process sends to another at present.
    current: BTreeMap<(Node, Node), LinkId>,
    /// From whom to whom nothing arrives.
    blocked: BTreeSet<(Node, Node)>,
    /// The life of each process that runs.
    alive: BTreeMap<Node, u64>,
    rules: Vec<Box<dyn Rule>>,
    rng: Rng,
    next: u64,
    latency: (Duration, Duration),
}

impl Network {
    pub(crate) fn new(rng: Rng, latency: (Duration, Duration)) -> Self {
        Self {
            links: BTreeMap::new(),
            current: BTreeMap::new(),
            blocked: BTreeSet::new(),
            alive: BTreeMap::new(),
            rules: Vec::new(),
            rng,
            next: 0,
            latency,
        }
    }

    /// Has a rule asked about every packet from now on.
    pub(crate) fn install(&mut self, rule: Box<dyn Rule>) {
        self.rules.push(rule);
    }

    /// Forgets all rules.
    pub(crate) fn calm(&mut self) {
        self.rules.clear();
    }

    /// A process runs from now on.
    pub(crate) fn born(&mut self, node: Node, life: u64) {
        self.alive.insert(node, life);
    }

    /// The life of a process, if it runs.
    pub(crate) fn life(&self, node: Node) -> Option<u64> {
        self.alive.get(&node).copied()
    }

    /// A process died. Whoever had a link with it hears of it soon; or much later, if its machine is gone too.
    pub(crate) fn died(&mut self, queue: &mut Queue, now: Time, node: Node, silent: bool) {
        self.alive.remove(&node);
        self.current.retain(|(from, _), _| *from != node);
        let of: Vec<LinkId> = self
            .links
            .values()
            .filter(|link| link.from == node || link.to == node)
            .map(|link| link.id)
            .collect();
        for id in of {
            let notice = if silent { self.rng.duration(PATIENCE.0, PATIENCE.1) } else { RESET };
            self.break_link(queue, now, id, notice);
        }
    }

    fn open(&mut self, from: Node, to: Node, carries: Carries) -> LinkId {
        self.next += 1;
        let id = LinkId(self.next);
        let lives = (self.life(from).unwrap_or(0), self.life(to));
        self.links.insert(id, Link::new(id, (from, to), lives, carries));
        id
    }

    /// Opens the two links of a scheduler's subscription: for its calls, and for its events.
    pub(crate) fn open_session(&mut self, scheduler: Node, master: Node) -> (LinkId, LinkId) {
        let calls = self.open(scheduler, master, Carries::Session(None));
        let events = self.open(master, scheduler, Carries::Session(Some(calls)));
        if let Some(link) = self.links.get_mut(&calls) {
            link.carries = Carries::Session(Some(events));
        }
        (calls, events)
    }

    /// Makes a new link of the one that one process has to another, as after a restart of the other. What is known of the
    /// former says nothing any more.
    pub(crate) fn reconnect(&mut self, queue: &mut Queue, now: Time, from: Node, to: Node) {
        self.current.remove(&(from, to));
        let id = self.open(from, to, Carries::Messages);
        self.current.insert((from, to), id);
        self.probe(queue, now, id);
    }

    /// Whoever opens a link to nobody hears of it.
    fn probe(&mut self, queue: &mut Queue, now: Time, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        if link.to_life.is_none() {
            self.break_link(queue, now, id, RESET);
        } else if self.blocked.contains(&(link.from, link.to)) {
            self.await_answer(queue, now, id);
        }
    }

    /// The link is not needed any more; what was sent still arrives.
    pub(crate) fn retire(&mut self, from: Node, to: Node) {
        self.current.remove(&(from, to));
    }

    /// A process learns that a link is lost: to whom it led, if it is the one over which it sends now. The next message
    /// opens another.
    pub(crate) fn lost(&mut self, from: Node, id: LinkId) -> Option<Node> {
        let to = self
            .current
            .iter()
            .find(|((of, _), link)| *of == from && **link == id)
            .map(|((_, to), _)| *to)?;
        self.current.remove(&(from, to));
        Some(to)
    }

    /// The first packet of a subscription is about to be sent: whoever calls nobody hears of it.
    pub(crate) fn dial(&mut self, queue: &mut Queue, now: Time, id: LinkId) {
        self.probe(queue, now, id);
    }

    /// Sends from one process to another, over the link that there is or a new one.
    pub(crate) fn send(&mut self, queue: &mut Queue, now: Time, from: Node, to: Node, packet: Packet) {
        let id = match self.current.get(&(from, to)) {
            Some(id) => *id,
            None => {
                let id = self.open(from, to, Carries::Messages);
                self.current.insert((from, to), id);
                self.probe(queue, now, id);
                id
            }
        };
        self.send_over(queue, now, id, packet);
    }

    /// Sends over one link; a broken one takes it to nowhere.
    pub(crate) fn send_over(&mut self, queue: &mut Queue, now: Time, id: LinkId, packet: Packet) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else { return };
        let mut delay = self.rng.duration(self.latency.0, self.latency.1);
        let mut doubled = false;
        for rule in &mut self.rules {
            match rule.judge(&mut self.rng, now, link.from, link.to) {
                Verdict::Pass => {}
                Verdict::Delay(more) => delay += more,
                Verdict::Double => doubled = packet.may_be_doubled(),
                Verdict::Break => {
                    let notice = self.rng.duration(Duration::ZERO, Duration::from_secs(2));
                    return self.break_link(queue, now, id, notice);
                }
            }
        }
        let at = (now + delay).max(link.last);
        link.last = at;
        if doubled {
            link.packets.push_back(packet.clone());
            queue.put(at, Event::Arrive(id));
        }
        link.packets.push_back(packet);
        queue.put(at, Event::Arrive(id));
    }

    /// What arrives over a link now, and whose it is. `None` if nothing does.
    pub(crate) fn arrive(&mut self, queue: &mut Queue, now: Time, id: LinkId) -> Option<Arrival> {
        let link = self.links.get_mut(&id)?;
        let (from, to) = (link.from, link.to);
        if link.packets.is_empty() {
            return None;
        }
        if self.blocked.contains(&(from, to)) || link.stalled > 0 {
            link.stalled += 1;
            self.await_answer(queue, now, id);
            return None;
        }
        let packet = link.packets.pop_front()?;
        if !std::mem::replace(&mut link.delivered, true) && link.carries == Carries::Messages {
            self.supersede(from, to, id);
        }
        let link = self.links.get_mut(&id)?;
        let lost = self.alive.get(&to).copied() != link.to_life || link.to_life.is_none();
        let over = !link.open && link.packets.is_empty();
        if over {
            self.links.remove(&id);
        } else if self.blocked.contains(&(to, from)) {
            // It arrives, but nobody hears that it did.
            self.await_answer(queue, now, id);
        }
        (!lost).then_some(Arrival { from, to, link: id, packet })
    }

    /// The receiver has read from a new link of the same process: what is left in former ones it does not read any more.
    fn supersede(&mut self, from: Node, to: Node, by: LinkId) {
        let former = |link: &Link| {
            link.from == from && link.to == to && link.id < by && link.carries == Carries::Messages
        };
        self.links.retain(|_, link| !former(link));
    }

    fn await_answer(&mut self, queue: &mut Queue, now: Time, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open && !link.awaits) else { return };
        link.awaits = true;
        let patience = self.rng.duration(PATIENCE.0, PATIENCE.1);
        queue.put(now + patience, Event::GiveUp(id));
    }

    /// Gives a link up that still gets no answers.
    pub(crate) fn give_up(&mut self, queue: &mut Queue, now: Time, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.awaits = false;
        let (from, to) = (link.from, link.to);
        if self.blocked.contains(&(from, to)) || self.blocked.contains(&(to, from)) {
            self.break_link(queue, now, id, Duration::ZERO);
        }
    }

    /// Breaks a link. Of what is under way some may still arrive. Both sides of a scheduler's subscription learn of it; of
    /// other links only the sender.
    pub(crate) fn break_link(&mut self, queue: &mut Queue, now: Time, id: LinkId, notice: Duration) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else { return };
        link.open = false;
        let under_way = link.packets.len().saturating_sub(link.stalled);
        let kept = if link.to_life.is_none() { 0 } else { self.rng.index(under_way + 1) };
        let stalled = link.stalled > 0;
        link.packets.truncate(if stalled { 0 } else { kept });
        let (from, to, carries) = (link.from, link.to, link.carries);
        if link.packets.is_empty() {
            self.links.remove(&id);
        }
        if let Some(life) = self.life(from) {
            queue.put(now + notice, Event::Lost { node: from, life, link: id });
        }
        if let Carries::Session(other) = carries {
            let later = self.rng.duration(Duration::ZERO, Duration::from_secs(5));
            if let Some(life) = self.life(to) {
                queue.put(now + notice + later, Event::Lost { node: to, life, link: id });
            }
            if let Some(other) = other {
                self.break_link(queue, now, other, notice);
            }
        }
    }

    /// Cuts the way from one process to another.
    pub(crate) fn block(&mut self, from: Node, to: Node) {
        self.blocked.insert((from, to));
    }

    /// Whether nothing arrives from one process at another.
    pub(crate) fn is_blocked(&self, from: Node, to: Node) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// Whether two processes can talk with each other.
    pub(crate) fn reach_each_other(&self, one: Node, other: Node) -> bool {
        !self.is_blocked(one, other) && !self.is_blocked(other, one)
    }

    /// Opens ways again. What waited arrives now.
    pub(crate) fn unblock(&mut self, queue: &mut Queue, now: Time, ways: &[(Node, Node)]) {
        for way in ways {
            self.blocked.remove(way);
        }
        for link in self.links.values_mut().filter(|link| link.stalled > 0) {
            if self.blocked.contains(&(link.from, link.to)) {
                continue;
            }
            for _ in 0..std::mem::take(&mut link.stalled) {
                queue.put(now, Event::Arrive(link.id));
            }
        }
    }

    /// Opens all ways.
    pub(crate) fn unblock_all(&mut self, queue: &mut Queue, now: Time) {
        let ways: Vec<(Node, Node)> = self.blocked.iter().copied().collect();
        self.unblock(queue, now, &ways);
    }

    /// The links that stand.
    pub(crate) fn open_links(&self) -> Vec<LinkId> {
        self.links.values().filter(|link| link.open).map(|link| link.id).collect()
    }

    /// Whose a link is, while something of it is left.
    pub(crate) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// Everything that is on its way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (&Link, &Packet)> {
        self.links.values().flat_map(|link| link.packets.iter().map(move |packet| (link, packet)))
    }
}

/// What arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) from: Node,
    pub(crate) to: Node,
    pub(crate) link: LinkId,
    pub(crate) packet: Packet,
}
