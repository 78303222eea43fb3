//! Which sampled objects are watched: as many as there is room for, each with the share of its like that it stands for.
//!
//! When there is no room, every second one of the youngest is given up, by chance, and the others stand for twice as many
//! from then on; so whatever is left stands for all without bias. The young are given up first: most of them are dead
//! already, only nobody knows yet.

use rustc_hash::FxHashMap;

/// Objects that are watched at one time.
pub(crate) const CAPACITY: usize = 8192;
/// What making room leaves at the most.
const AFTER_MAKING_ROOM: usize = CAPACITY / 4 * 3;
/// With fewer of them at a chunk's end, new ones are watched more often again.
const FEW: usize = CAPACITY / 2;
/// One in 2^31 is as good as none.
const MOST_HALVINGS: u32 = 31;

/// A watched object as the table has it.
#[derive(Debug)]
struct Watched<O> {
    object: O,
    born: u64,
    halvings: u32,
}

/// What is told of a watched object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alive {
    pub(crate) id: u32,
    /// The epoch in which it was allocated.
    pub(crate) born: u64,
    /// It stands for 2^halvings as many as its sample.
    pub(crate) halvings: u32,
}

/// Objects of the kind `O`, by numbers that are not used twice in a long time.
#[derive(Debug)]
pub(crate) struct Table<O> {
    watched: FxHashMap<u32, Watched<O>>,
    last_id: u32,
    /// Of 2^halvings sampled objects one is watched.
    halvings: u32,
    /// The epoch of the last look at all.
    swept: u64,
    random: u64,
}

impl<O> Table<O> {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            watched: FxHashMap::default(),
            last_id: 0,
            halvings: 0,
            swept: 0,
            random: seed | 1,
        }
    }

    /// Whether a sampled object is to be watched: by chance.
    pub(crate) fn admits(&mut self) -> bool {
        let mask = (1_u64 << self.halvings) - 1;
        self.next_random() & mask == 0
    }

    /// Watches an object that was allocated in this epoch, and gives its number, which is never 0. `None`, and the object
    /// back, when it fell to the making of room.
    pub(crate) fn watch(
        &mut self,
        object: O,
        born: u64,
        is_dead: impl Fn(&O) -> bool,
        mut give_back: impl FnMut(O),
    ) -> Option<u32> {
        let admitted_at = self.halvings;
        if self.watched.len() >= CAPACITY {
            self.make_room(born, is_dead, &mut give_back);
        }
        let mut halvings = admitted_at;
        while halvings < self.halvings {
            halvings += 1;
            if self.next_random() & 1 == 0 {
                give_back(object);
                return None;
            }
        }
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.watched.contains_key(&self.last_id) {
                break;
            }
        }
        let watched = Watched {
            object,
            born,
            halvings,
        };
        self.watched.insert(self.last_id, watched);
        Some(self.last_id)
    }

    /// Watches it no more.
    pub(crate) fn forget(&mut self, id: u32) -> Option<O> {
        self.watched.remove(&id).map(|watched| watched.object)
    }

    /// Gives back the dead. `now` is the epoch.
    pub(crate) fn sweep(
        &mut self,
        now: u64,
        is_dead: impl Fn(&O) -> bool,
        give_back: impl FnMut(O),
    ) {
        self.swept = now;
        self.give_up(|_, watched| is_dead(&watched.object), give_back);
    }

    /// With room again, more of what comes is watched.
    pub(crate) fn relax(&mut self) {
        if self.watched.len() < FEW {
            self.halvings = self.halvings.saturating_sub(1);
        }
    }

    /// All of them, alive or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = Alive> + '_ {
        self.watched.iter().map(|(&id, watched)| Alive {
            id,
            born: watched.born,
            halvings: watched.halvings,
        })
    }

    /// Watches none any more.
    pub(crate) fn clear(&mut self, give_back: impl FnMut(O)) {
        self.halvings = 0;
        self.give_up(|_, _| true, give_back);
    }

    fn make_room(&mut self, now: u64, is_dead: impl Fn(&O) -> bool, give_back: &mut impl FnMut(O)) {
        if self.swept != now {
            self.sweep(now, is_dead, &mut *give_back);
        }
        while self.watched.len() > AFTER_MAKING_ROOM && self.halvings < MOST_HALVINGS {
            self.halvings += 1;
            self.halve(give_back, |watched| watched.born == now);
            if self.watched.len() > AFTER_MAKING_ROOM {
                self.halve(give_back, |watched| watched.born != now);
            }
        }
    }

    /// Brings each of those to the present share by tossing a coin for it.
    fn halve(&mut self, give_back: &mut impl FnMut(O), of: impl Fn(&Watched<O>) -> bool) {
        let (halvings, mut random) = (self.halvings, self.random);
        self.give_up(
            |_, watched| {
                if watched.halvings >= halvings || !of(watched) {
                    return false;
                }
                watched.halvings += 1;
                random = advance(random);
                mixed(random) & 1 == 0
            },
            give_back,
        );
        self.random = random;
    }

    fn give_up(
        &mut self,
        mut gone: impl FnMut(u32, &mut Watched<O>) -> bool,
        give_back: impl FnMut(O),
    ) {
        self.watched
            .extract_if(|&id, watched| gone(id, watched))
            .map(|(_, watched)| watched.object)
            .for_each(give_back);
    }

    fn next_random(&mut self) -> u64 {
        self.random = advance(self.random);
        mixed(self.random)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a counter, and what it gives.
const fn advance(state: u64) -> u64 {
    state.wrapping_add(0x9e37_79b9_7f4a_7c15)
}

const fn mixed(state: u64) -> u64 {
    let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashSet;

    use super::*;

    /// Objects are numbers; what is in here is dead.
    type Dead = RefCell<HashSet<u64>>;

    fn watch(table: &mut Table<u64>, object: u64, epoch: u64, dead: &Dead) -> Option<u32> {
        if !table.admits() {
            return None;
        }
        table.watch(
            object,
            epoch,
            |object| dead.borrow().contains(object),
            |_| (),
        )
    }

    fn stands_for(table: &Table<u64>) -> f64 {
        table
            .all()
            .map(|alive| 2_f64.powi(alive.halvings as i32))
            .sum()
    }

    #[test]
    fn what_is_left_stands_for_all_and_there_is_an_end_to_it() {
        let mut table = Table::new(7);
        let dead = Dead::default();
        const OBJECTS: u64 = 500_000;
        for object in 0..OBJECTS {
            watch(&mut table, object, object / 50_000, &dead);
            assert!(table.watched.len() <= CAPACITY);
        }
        // Some six thousand are left: their sum is a few per cent off by chance.
        let off = stands_for(&table) / OBJECTS as f64 - 1.0;
        assert!(off.abs() < 0.08, "{off}");
    }

    #[test]
    fn the_dead_make_room_before_any_other() {
        let mut table = Table::new(3);
        let dead = Dead::default();
        for object in 0..CAPACITY as u64 {
            watch(&mut table, object, 0, &dead);
        }
        dead.borrow_mut().extend(1_000..CAPACITY as u64);
        assert!(watch(&mut table, 1_000_000, 1, &dead).is_some());
        assert_eq!(table.watched.len(), 1_001);
        assert!(table.all().all(|alive| alive.halvings == 0));
    }

    #[test]
    fn those_that_have_lived_are_kept_when_the_young_fill_the_table() {
        let mut table = Table::new(5);
        let dead = Dead::default();
        for object in 0..1_000 {
            watch(&mut table, object, 0, &dead);
        }
        for object in 1_000..200_000 {
            watch(&mut table, object, 1, &dead);
        }
        let old: Vec<_> = table.all().filter(|alive| alive.born == 0).collect();
        assert_eq!(old.len(), 1_000);
        assert!(old.iter().all(|alive| alive.halvings == 0));
    }

    #[test]
    fn numbers_are_never_zero_and_what_is_forgotten_is_gone() {
        let mut table = Table::new(1);
        table.last_id = u32::MAX;
        let dead = Dead::default();
        let id = watch(&mut table, 42, 0, &dead).unwrap();
        assert_eq!(id, 1);
        assert_eq!(table.forget(id), Some(42));
        assert_eq!(table.forget(id), None);
    }

    #[test]
    fn with_room_again_more_are_watched() {
        let mut table = Table::new(9);
        let dead = Dead::default();
        for object in 0..100_000 {
            watch(&mut table, object, 0, &dead);
        }
        assert!(table.halvings > 0);
        let mut given_back = 0;
        table.sweep(1, |_| true, |_| given_back += 1);
        assert!(given_back > 0 && table.watched.is_empty());
        for _ in 0..MOST_HALVINGS {
            table.relax();
        }
        assert_eq!(table.halvings, 0);
    }
}
