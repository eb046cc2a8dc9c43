//! The text that people read: of the log, the API and the command line alike.

use std::fmt;
use std::time::Duration;

use base::Time;
use resources::Quantities;

use super::types::{
    Change, ClientState, Detail, Finding, GuaranteeOpen, Level, LimitReached, Obstacle, Place, Refusal, Who,
    WhyClient, WhyFramework, WhyRole,
};

impl fmt::Display for WhyFramework {
    /// A paragraph for each role, without a line end behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.roles.is_empty() {
            return write!(f, "Framework {} is subscribed to no role.", self.framework);
        }
        for (i, role) in self.roles.iter().enumerate() {
            f.write_str(if i > 0 { "\n\n" } else { "" })?;
            client(f, role, self.now)?;
        }
        match self.more {
            0 => Ok(()),
            1 => f.write_str("\n\nIt has 1 role more."),
            more => write!(f, "\n\nIt has {more} roles more."),
        }
    }
}

impl fmt::Display for WhyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, share) = (&self.role, Percent(self.share));
        write!(f, "Role {role} has {share} of the cluster, with a weight of {}.", self.weight)?;
        for (what, amounts) in [("Guaranteed", &self.guarantees), ("Limited to", &self.limits)] {
            let amounts: Vec<String> =
                amounts.iter().map(|(name, amount)| format!("{name}:{amount}")).collect();
            if !amounts.is_empty() {
                write!(f, "\n  {what} {}; it has {}.", amounts.join("; "), Amounts(&self.consumed))?;
            }
        }
        if self.frameworks.is_empty() {
            f.write_str("\n  No framework is subscribed to it.")?;
        }
        if !self.below.is_empty() {
            write!(f, "\n  Below it are {}.", List(&self.below))?;
        }
        for each in &self.frameworks {
            f.write_str("\n\n")?;
            client(f, each, self.now)?;
        }
        if self.more > 0 {
            write!(f, "\n\n{} more are subscribed to it.", count(self.more, "framework"))?;
        }
        if self.frameworks.len() > 1 {
            f.write_str("\n\nThe smallest change that would help the role:")?;
            changes(f, &self.help, self.now)?;
        }
        Ok(())
    }
}

fn client(f: &mut fmt::Formatter<'_>, why: &WhyClient, now: Time) -> fmt::Result {
    let (framework, role) = (&why.framework, &why.role);
    write!(f, "Framework {framework} in role {role} ")?;
    f.write_str(match why.state {
        ClientState::Inactive => "gets no offers, because it is not connected or was deactivated.",
        ClientState::Suppressed => "gets no offers, because it asked for none: it suppressed the role.",
        ClientState::Wanting if why.unhindered > 0 => "can be offered something.",
        ClientState::Wanting => "wants offers and gets none.",
    })?;
    write!(f, "\n  It holds {}", Amounts(&why.holds))?;
    if !why.offered.is_empty() {
        write!(f, ", of which {} are offers that it has not answered", Amounts(&why.offered))?;
    }
    f.write_str(".")?;
    match why.agents {
        0 => f.write_str("\n  There are no agents.")?,
        agents => write!(f, "\n  Of {}, it can be offered {}.", count(agents, "agent"), why.unhindered)?,
    }
    for each in &why.findings {
        finding(f, each, now)?;
    }
    for level in why.order.iter().filter(|level| level.behind > 0) {
        behind(f, level)?;
    }
    f.write_str("\n  The smallest change that would help:")?;
    changes(f, &why.help, now)
}

fn finding(f: &mut fmt::Formatter<'_>, finding: &Finding, now: Time) -> fmt::Result {
    let agents = count(finding.agents, "agent");
    let one = finding.agents == 1;
    let (is, has) = if one { ("is", "has") } else { ("are", "have") };
    write!(f, "\n  - {agents} ")?;
    match finding.obstacle {
        Obstacle::AgentInactive => write!(f, "{is} not active"),
        Obstacle::NotWhitelisted => write!(f, "{is} not on the whitelist"),
        Obstacle::AgentTooOld => {
            let knows = if one { "does not know" } else { "do not know" };
            write!(f, "{knows} frameworks of several roles, or roles below others")
        }
        Obstacle::KeptForGpus => write!(f, "{has} GPUs, which the framework does not say it can use"),
        Obstacle::OtherRegion => {
            write!(f, "{is} in another region, and the framework does not say that it knows regions")
        }
        Obstacle::Constrained => write!(f, "{is} left out by the framework's offer constraints"),
        Obstacle::NothingFree => write!(f, "{has} nothing free: all is offered or used"),
        Obstacle::ReservedForOthers => write!(f, "{has} free only what is reserved for other roles"),
        Obstacle::NotUnderstood => {
            write!(f, "{has} free only what the framework does not say it can use")
        }
        Obstacle::TooLittle => write!(f, "{has} too little free to be offered"),
        Obstacle::AtLimit => f.write_str("would exceed a limit"),
        Obstacle::HeldBack => write!(f, "{is} held back for what is guaranteed to other roles"),
        Obstacle::Refused => write!(f, "{} declined", if one { "was" } else { "were" }),
        Obstacle::AlreadyOffered => {
            write!(f, "{has} free only shared resources, which were offered to the framework already")
        }
        Obstacle::OfferedEnough => {
            f.write_str("cannot be offered before the framework has answered the offers that it has")
        }
    }?;
    detail(f, &finding.detail, now)
}

fn detail(f: &mut fmt::Formatter<'_>, detail: &Detail, now: Time) -> fmt::Result {
    match detail {
        Detail::None => Ok(()),
        Detail::Capabilities(names) => write!(f, ": {}", List(names)),
        Detail::Conditions(conditions) => {
            for (condition, agents) in conditions {
                write!(f, "\n      {condition}: not for {}", count(*agents, "agent"))?;
            }
            Ok(())
        }
        Detail::Reserved(roles) => write!(f, ": {}", List(roles)),
        Detail::Minimum { least, most_free } => {
            let least: Vec<String> = least.iter().map(|least| Amounts(least).to_string()).collect();
            write!(f, ": at most {}, where at least {} is asked for", Amounts(most_free), least.join(", or "))
        }
        Detail::Limits(limits) => {
            for LimitReached { role, resource, limit, consumed } in limits {
                write!(f, "\n      role {role} may have {resource}:{limit} and has {consumed}")?;
            }
            Ok(())
        }
        Detail::Guarantees(guarantees) => {
            for GuaranteeOpen { role, resource, guarantee, consumed } in guarantees {
                write!(f, "\n      role {role} is guaranteed {resource}:{guarantee} and has {consumed}")?;
            }
            Ok(())
        }
        Detail::Refusals { first: Refusal { agent, resources, until }, last_ends } => {
            write!(
                f,
                ": the first refusal, of {resources} of agent {agent}, ends in {}",
                After(*until, now)
            )?;
            if last_ends > until {
                write!(f, ", the last in {}", After(*last_ends, now))?;
            }
            Ok(())
        }
        Detail::Offered { share, most } => {
            write!(f, ": {} of the cluster, where {} is the most", Percent(*share), Percent(*most))
        }
    }
}

fn behind(f: &mut fmt::Formatter<'_>, level: &Level) -> fmt::Result {
    write!(f, "\n  - {} comes after ", Standing(&level.who))?;
    for (i, place) in level.ahead.iter().enumerate() {
        write!(f, "{}{}", if i > 0 { ", " } else { "" }, Standing(place))?;
    }
    match level.behind - level.ahead.len() {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn changes(f: &mut fmt::Formatter<'_>, changes: &[Change], now: Time) -> fmt::Result {
    for change in changes {
        f.write_str("\n    ")?;
        write_change(f, change, now)?;
        f.write_str(".")?;
    }
    Ok(())
}

fn write_change(f: &mut fmt::Formatter<'_>, change: &Change, now: Time) -> fmt::Result {
    match change {
        Change::Wait => f.write_str("None: it is offered something next, unless those before it take all"),
        Change::Subscribe => f.write_str("Have the scheduler subscribe"),
        Change::Revive { role, or_wait_until } => {
            write!(f, "Have the scheduler revive role {role}")?;
            match or_wait_until {
                Some(until) => {
                    let wait = After(*until, now);
                    write!(f, ", or wait {wait}; and have it decline with a smaller refuse_seconds")
                }
                None => Ok(()),
            }
        }
        Change::AnswerOffers => f.write_str("Have the scheduler accept or decline the offers that it has"),
        Change::AddCapability(name) => write!(f, "Have the scheduler subscribe with the capability {name}"),
        Change::DropCondition { role, condition } => {
            write!(f, "Have the scheduler do without the offer constraint \"{condition}\" for role {role}")
        }
        Change::LowerMinimum { role, to, own: true } => {
            let to = Amounts(to);
            write!(f, "Have the scheduler ask for no more than {to} in its offer filters for role {role}")
        }
        Change::LowerMinimum { to, own: false, .. } => {
            let to = Amounts(to);
            write!(f, "Lower --min_allocatable_resources to no more than {to}")
        }
        Change::JoinRole(role) => write!(f, "Have the scheduler subscribe to role {role}, too"),
        Change::RaiseLimit { role, resource, by, to } => {
            write!(f, "Raise the limit of role {role} for {resource} by {by} to {to}")
        }
        Change::LowerGuarantee { role, resource, by, to } => {
            write!(f, "Lower the guarantee of role {role} for {resource} by {by} to {to}, or add more of it")
        }
        Change::ActivateAgent(agent) => write!(f, "Activate agent {agent}, or bring it back"),
        Change::UpgradeAgent(agent) => write!(f, "Replace agent {agent} by a newer version"),
        Change::Whitelist(hostname) => write!(f, "Put {hostname} on the whitelist"),
        Change::MoreResources => {
            f.write_str("Add agents, or wait until tasks end or others answer their offers")
        }
    }
}

/// How long until then.
struct After(Time, Time);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.0.since(self.1);
        // Nobody cares for nanoseconds.
        let precise = if left < Duration::from_secs(10) { 1_000_000 } else { 1_000_000_000 };
        let rounded = u64::try_from(left.as_nanos().div_ceil(precise) * precise).unwrap_or(u64::MAX);
        f.write_str(&base::duration_text(Duration::from_nanos(rounded)))
    }
}

struct Amounts<'a>(&'a Quantities);

impl fmt::Display for Amounts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("nothing") } else { self.0.fmt(f) }
    }
}

struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

struct Standing<'a>(&'a Place);

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { name, share, weight } = self.0;
        match name {
            Who::Role(role) => write!(f, "role {role}")?,
            Who::Own(role) => write!(f, "what is right in role {role}")?,
            Who::Framework(id) => write!(f, "framework {id}")?,
        }
        write!(f, " ({}", Percent(*share))?;
        let default = (*weight - 1.0).abs() < f64::EPSILON;
        if default { f.write_str(")") } else { write!(f, " at weight {weight})") }
    }
}

struct List<'a, T>(&'a T);

impl<T> fmt::Display for List<'_, T>
where
    for<'b> &'b T: IntoIterator<Item: fmt::Display>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.into_iter().enumerate() {
            write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
