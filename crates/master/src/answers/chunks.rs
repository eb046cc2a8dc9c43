//! Lists of entities in encoded form, kept until an entity changes.
//!
//! A list is cut into chunks at places that depend on the entities' ids alone, so that what comes or goes changes the chunk
//! where it is and no other. A chunk is what it was as long as all of its entities are: the core changes an entity by making
//! another (`Arc::make_mut`), for a chunk holds a weak reference to each of its own.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use http_api::Piece;

/// After one of so many entities a chunk ends, on average.
const MEAN: u64 = 64;
/// After so many it ends in any case.
const MOST: usize = 512;

/// An entity is looked for among so many that followed the one before it: others may have come and gone between them.
const AHEAD: usize = 16;

/// So many chunks may be kept beyond twice those that are known to be needed.
const SLACK: usize = 1024;

/// Another processor is worth its thread when it finds so many chunks to write.
const WORTH: usize = 8;

/// What lists are made of.
pub(super) trait Entity: Sized {
    /// How a list of them can be encoded.
    type Form: Copy + Into<usize>;
    /// What is known of a chunk without its encoding.
    type Sum;

    /// How many forms there are.
    const FORMS: usize;

    /// What says where chunks end; it never changes.
    fn id(&self) -> &str;

    /// Sums up a chunk.
    fn sum(chunk: &[&Arc<Self>]) -> Self::Sum;
}

/// Some entities that follow one another in a list.
pub(super) struct Chunk<T: Entity> {
    members: Box<[Weak<T>]>,
    /// Whether it ends because its last entity's id says so, and not because the list did.
    closed: bool,
    /// What is known of it.
    pub(super) sum: T::Sum,
    forms: Box<[OnceLock<Encoded>]>,
}

/// A chunk in one form.
struct Encoded {
    piece: Piece,
    /// Where the encoding of each of its entities ends.
    ends: Box<[usize]>,
}

impl Encoded {
    /// Where that of one of its entities is.
    fn place(&self, index: usize) -> Option<Range<usize>> {
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        Some(start..*self.ends.get(index)?)
    }
}

impl<T: Entity> Chunk<T> {
    fn new(members: &[&Arc<T>], closed: bool) -> Self {
        Self {
            members: members.iter().map(|member| Arc::downgrade(member)).collect(),
            closed,
            sum: T::sum(members),
            forms: (0..T::FORMS).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Whether all of its entities are still there, unchanged.
    fn is_current(&self) -> bool {
        self.members.iter().all(|member| member.strong_count() > 0)
    }

    /// Whether the list goes on with exactly what this chunk has.
    fn matches(&self, rest: &[&Arc<T>]) -> bool {
        let length = self.members.len();
        if rest.len() < length || !self.closed && rest.len() > length {
            return false;
        }
        self.members.iter().zip(rest).all(|(kept, now)| Weak::as_ptr(kept) == Arc::as_ptr(now))
    }

    /// Its entities in a form. Those that were in `before` are taken from there.
    fn encode(
        members: &[&Arc<T>],
        before: Option<(&Self, &Encoded)>,
        numbers: &AtomicU64,
        write: impl Fn(&T, &mut Vec<u8>),
    ) -> Encoded {
        let mut out = Vec::with_capacity(before.map_or(0, |(_, encoded)| encoded.piece.bytes.len()));
        let mut ends = Vec::with_capacity(members.len());
        let mut at = 0;
        for member in members {
            let kept = before.and_then(|(chunk, encoded)| {
                let ahead = chunk.members.iter().skip(at).take(AHEAD);
                let index =
                    at + ahead.into_iter().position(|was| Weak::as_ptr(was) == Arc::as_ptr(member))?;
                at = index + 1;
                let place = encoded.place(index)?;
                // The first of a list has nothing before it that sets it apart from another.
                (out.is_empty() == (place.start == 0)).then(|| encoded.piece.bytes.get(place)).flatten()
            });
            match kept {
                Some(bytes) => out.extend_from_slice(bytes),
                None => write(member, &mut out),
            }
            ends.push(out.len());
        }
        Encoded { piece: piece(out, numbers), ends: ends.into() }
    }
}

/// A chunk, and where the list has it.
pub(super) struct Found<'a, T: Entity> {
    chunk: Arc<Chunk<T>>,
    members: &'a [&'a Arc<T>],
    /// What was there before, where that is another.
    before: Option<Arc<Chunk<T>>>,
}

impl<'a, T: Entity> Found<'a, T> {
    /// What is known of it.
    pub(super) fn sum(&self) -> &T::Sum {
        &self.chunk.sum
    }

    /// The chunk.
    pub(super) fn chunk(&self) -> &Arc<Chunk<T>> {
        &self.chunk
    }

    /// Its entities.
    pub(super) fn members(&self) -> &'a [&'a Arc<T>] {
        self.members
    }

    /// Whether it has to be written in a form.
    fn is_missing(&self, form: T::Form) -> bool {
        self.chunk.forms.get(form.into()).is_some_and(|kept| kept.get().is_none())
    }

    /// Its encoding in a form, written by `write` unless it is kept.
    pub(super) fn piece(
        &self,
        form: T::Form,
        numbers: &AtomicU64,
        write: impl Fn(&T, &mut Vec<u8>),
    ) -> Option<&Piece> {
        self.chunk.forms.get(form.into()).map(|kept| {
            let encoded = kept.get_or_init(|| {
                let before = self
                    .before
                    .as_ref()
                    .and_then(|before| Some((&**before, before.forms.get(form.into())?.get()?)));
                Chunk::encode(self.members, before, numbers, write)
            });
            &encoded.piece
        })
    }
}

/// A piece with a number of its own.
pub(super) fn piece(mut bytes: Vec<u8>, numbers: &AtomicU64) -> Piece {
    bytes.shrink_to_fit();
    let number = numbers.fetch_add(1, Ordering::Relaxed) + 1;
    Piece { number, bytes: Bytes::from(bytes) }
}

/// Writes the chunks that are not kept in a form, by all processors where there are many.
pub(super) fn write_missing<T>(
    found: &[Found<'_, T>],
    form: T::Form,
    numbers: &AtomicU64,
    write: impl Fn(&T, &mut Vec<u8>) + Sync,
) where
    T: Entity<Form: Sync, Sum: Send + Sync> + Send + Sync,
{
    let missing: Vec<_> = found.iter().filter(|found| found.is_missing(form)).collect();
    spread(&missing, |found| {
        found.piece(form, numbers, &write);
    });
}

/// Does something with each of some chunks, by all processors where there are many.
pub(super) fn spread<T: Sync>(chunks: &[T], each: impl Fn(&T) + Sync) {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = processors.min(chunks.len() / WORTH).saturating_sub(1);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(chunk);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // They give way as much as this one. Where none can be had, there is this one.
            if std::thread::Builder::new().name("readers".to_owned()).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

/// The chunks of all lists of a kind.
pub(super) struct Chunks<T: Entity> {
    /// By the list's number and the address of the first entity, which is nobody else's as long as the chunk is here.
    kept: HashMap<(u8, usize), Arc<Chunk<T>>>,
    used: HashMap<(u8, usize), Arc<Chunk<T>>>,
    /// When there are more than this, those whose entities have changed are looked for.
    bound: usize,
    hasher: std::hash::BuildHasherDefault<std::hash::DefaultHasher>,
}

impl<T: Entity> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            kept: HashMap::new(),
            used: HashMap::new(),
            bound: SLACK,
            hasher: std::hash::BuildHasherDefault::default(),
        }
    }
}

impl<T: Entity> Chunks<T> {
    /// Cuts a list into chunks: those that are kept, and new ones where something has changed. `list` tells lists apart in
    /// which the same entity is encoded in another way.
    pub(super) fn cut<'a>(&mut self, list: u8, entities: &'a [&'a Arc<T>]) -> Vec<Found<'a, T>> {
        let mut found = Vec::new();
        let mut rest = entities;
        while let Some(first) = rest.first() {
            let key = (list, Arc::as_ptr(first).addr());
            let (chunk, before) = match self.kept.get(&key) {
                Some(chunk) if chunk.matches(rest) => (Arc::clone(chunk), None),
                before => {
                    let (length, closed) = self.end(rest);
                    (Arc::new(Chunk::new(&rest[..length], closed)), before.cloned())
                }
            };
            let (members, after) = rest.split_at(chunk.members.len());
            rest = after;
            self.used.insert(key, Arc::clone(&chunk));
            found.push(Found { chunk, members, before });
        }
        found
    }

    /// Where the chunk ends that begins here, and whether that is for good.
    fn end(&self, rest: &[&Arc<T>]) -> (usize, bool) {
        let ends = |entity: &&Arc<T>| self.hasher.hash_one(entity.id()).is_multiple_of(MEAN);
        let most = &rest[..rest.len().min(MOST)];
        match most.iter().position(ends) {
            Some(at) => (at + 1, true),
            None => (most.len(), most.len() == MOST),
        }
    }

    /// Forgets the chunks that were not used since this was called last.
    pub(super) fn sweep(&mut self) {
        self.kept = std::mem::take(&mut self.used);
        self.bound = 2 * self.kept.len() + SLACK;
    }

    /// Keeps the chunks that were used beside all others, because only a part of the lists was asked for. Those that nobody
    /// can need any more go when they have become many.
    pub(super) fn gather(&mut self) {
        self.kept.extend(self.used.drain());
        if self.kept.len() > self.bound {
            self.kept.retain(|_, chunk| chunk.is_current());
            self.bound = 2 * self.kept.len() + SLACK;
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Named(String, u32);

    #[derive(Clone, Copy)]
    struct Text;

    impl From<Text> for usize {
        fn from(_: Text) -> Self {
            0
        }
    }

    impl Entity for Named {
        type Form = Text;
        type Sum = u32;
        const FORMS: usize = 1;

        fn id(&self) -> &str {
            &self.0
        }

        fn sum(chunk: &[&Arc<Self>]) -> u32 {
            chunk.iter().map(|named| named.1).sum()
        }
    }

    fn write(named: &Named, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{}={};", named.0, named.1).as_bytes());
    }

    /// The list as one text and its sum, and how many entities had to be written for it.
    fn read(chunks: &mut Chunks<Named>, numbers: &AtomicU64, list: &[Arc<Named>]) -> (String, u32, usize) {
        let written = AtomicUsize::new(0);
        let entities: Vec<&Arc<Named>> = list.iter().collect();
        let (mut text, mut sum) = (String::new(), 0);
        let write = |named: &Named, out: &mut Vec<u8>| {
            written.fetch_add(1, Ordering::Relaxed);
            write(named, out);
        };
        let cut = chunks.cut(0, &entities);
        write_missing(&cut, Text, numbers, write);
        for found in cut {
            let piece = found.piece(Text, numbers, write);
            text.push_str(std::str::from_utf8(&piece.unwrap().bytes).unwrap());
            sum += found.sum();
        }
        chunks.sweep();
        (text, sum, written.into_inner())
    }

    fn plain(list: &[Arc<Named>]) -> (String, u32) {
        let text = list.iter().map(|named| format!("{}={};", named.0, named.1)).collect();
        (text, list.iter().map(|named| named.1).sum())
    }

    #[test]
    fn only_what_changed_is_written_again() {
        let mut list: Vec<_> = (0..10_000).map(|n| Arc::new(Named(format!("task-{n}"), n))).collect();
        let (mut chunks, numbers) = (Chunks::default(), AtomicU64::new(0));
        let mut check = |list: &[Arc<Named>], most: usize| {
            let (text, sum, written) = read(&mut chunks, &numbers, list);
            assert_eq!((text, sum), plain(list));
            assert!(written <= most, "{written} were written");
            assert!(chunks.count() < 10_000 / 32, "{} chunks", chunks.count());
            written
        };
        check(&list, 10_000);
        check(&list, 0);
        // Some change, as the core changes them: nobody else holds them. What is beside them is not written again, unless the
        // first of a chunk changes, by which the chunk is found.
        for changed in [5_000, 5_001, 5_003] {
            Arc::make_mut(&mut list[changed]).1 = 7;
        }
        check(&list, MOST);
        check(&list, 0);
        let alone = (0..20).filter(|at| {
            Arc::make_mut(&mut list[*at]).1 += 1;
            check(&list, MOST) == 1
        });
        assert!(alone.count() > 10);
        list.remove(5_000);
        check(&list, MOST);
        list.insert(77, Arc::new(Named("new".into(), 1)));
        check(&list, MOST);
        // A ring of entities that ended: the oldest goes, a new one comes.
        list.remove(0);
        list.push(Arc::new(Named("last".into(), 1)));
        check(&list, 2 * MOST);
        check(&list[..0], 0);
        check(&list, 10_000);
    }

    #[test]
    fn parts_use_what_is_kept_and_do_not_pile_up() {
        let mut list: Vec<_> = (0..10_000).map(|n| Arc::new(Named(format!("task-{n}"), n))).collect();
        let (mut chunks, numbers) = (Chunks::default(), AtomicU64::new(0));
        read(&mut chunks, &numbers, &list);
        let most = 2 * chunks.count() + SLACK;
        let count = || numbers.load(Ordering::Relaxed);
        let mut newest = count();
        for step in 0..2_000 {
            // One list is asked for, and nobody asks for the others.
            Arc::make_mut(&mut list[step]).1 += 1;
            let entities: Vec<&Arc<Named>> = list[..3_000].iter().collect();
            for found in chunks.cut(0, &entities) {
                found.piece(Text, &numbers, write);
            }
            chunks.gather();
            assert!(count() - newest <= 2, "{} pieces were written", count() - newest);
            newest = count();
        }
        assert!(chunks.count() <= most, "{} chunks", chunks.count());
        let (text, sum, written) = read(&mut chunks, &numbers, &list);
        assert!((text, sum) == plain(&list), "something is shown as it was");
        assert!(written < 2 * MOST, "{written} were written");
    }

    #[test]
    fn random_changes_never_show_what_was() {
        let mut rng = base::Rng::new(7);
        let mut list: Vec<Arc<Named>> = Vec::new();
        let (mut chunks, numbers) = (Chunks::default(), AtomicU64::new(0));
        for step in 0..2_000_u32 {
            for _ in 0..rng.below(4) {
                let at = usize::try_from(rng.below(list.len() as u64 + 1)).unwrap();
                match rng.below(3) {
                    0 if at < list.len() => drop(list.remove(at)),
                    1 if at < list.len() => Arc::make_mut(&mut list[at]).1 += 1,
                    _ => list.insert(at, Arc::new(Named(format!("{step}-{at}"), step))),
                }
            }
            let (text, sum, _) = read(&mut chunks, &numbers, &list);
            assert_eq!((text, sum), plain(&list));
        }
    }
}
