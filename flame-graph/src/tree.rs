//! The tree of all stacks, merged as they come.
//!
//! Frames may share a box: under one parent they are one node.

use std::cmp::Reverse;
use std::mem;

use rustc_hash::FxHashMap;

const ROOT: u32 = 0;

/// Nodes are numbered as they are made, so a parent's number is below its children's.
#[derive(Debug)]
pub(crate) struct Tree {
    parents: Vec<u32>,
    /// The frame that made the node.
    frames: Vec<u32>,
    own: Vec<u64>,
    /// (parent, box) packed into one word -> node.
    children: FxHashMap<u64, u32>,
    /// (node, frame) packed into one word -> what the node's other frames have of its total. Most
    /// nodes have no other frame.
    others: FxHashMap<u64, u64>,
    /// The nodes of the stack added last: the next one usually begins with the same frames.
    last_path: Vec<u32>,
}

/// The nodes below the root in preorder: heavier children first, equal ones by name.
#[derive(Debug)]
pub(crate) struct Preorder {
    pub(crate) steps: Vec<Step>,
    /// What is not the step's own frame, by step and frame.
    pub(crate) shares: Vec<Share>,
}

/// One node on the way down the finished tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The frame that has most of the total; of equal ones the first that came.
    pub(crate) frame: u32,
    /// 1 for the root's children.
    pub(crate) depth: u32,
    pub(crate) own: u64,
}

/// A frame that shares a node with a heavier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Index of the step.
    pub(crate) step: u32,
    pub(crate) frame: u32,
    /// Its part of the node's total.
    pub(crate) weight: u64,
}

const fn pack(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            parents: vec![ROOT],
            frames: vec![u32::MAX],
            own: vec![0],
            children: FxHashMap::default(),
            others: FxHashMap::default(),
            last_path: Vec::new(),
        }
    }

    /// Adds a value to a stack, root first. `boxes[f]` is the same for all frames that share a box
    /// with f.
    pub(crate) fn add(&mut self, stack: impl Iterator<Item = u32>, boxes: &[u32], value: u64) {
        let mut node = ROOT;
        let mut depth = 0;
        for frame in stack {
            let box_of = |frame: u32| boxes[frame as usize];
            let again = self
                .last_path
                .get(depth)
                .copied()
                .filter(|&last| box_of(self.frames[last as usize]) == box_of(frame));
            node = match again {
                Some(last) => last,
                None => {
                    let child = self.child(node, frame, box_of(frame));
                    self.last_path.truncate(depth);
                    self.last_path.push(child);
                    child
                }
            };
            if self.frames[node as usize] != frame {
                let weight = self.others.entry(pack(node, frame)).or_default();
                *weight = weight.saturating_add(value);
            }
            depth += 1;
        }
        self.last_path.truncate(depth);
        let own = &mut self.own[node as usize];
        *own = own.saturating_add(value);
    }

    fn child(&mut self, parent: u32, frame: u32, box_of_frame: u32) -> u32 {
        let key = pack(parent, box_of_frame);
        *self.children.entry(key).or_insert_with(|| {
            let node = u32::try_from(self.parents.len())
                .expect("4 billion nodes need more memory than there is");
            self.parents.push(parent);
            self.frames.push(frame);
            self.own.push(0);
            node
        })
    }

    /// Nodes without the root.
    pub(crate) fn len(&self) -> usize {
        self.parents.len() - 1
    }

    /// What was added with an empty stack.
    pub(crate) fn root_own(&self) -> u64 {
        self.own[ROOT as usize]
    }

    pub(crate) fn total(&self) -> u64 {
        self.own.iter().copied().fold(0, u64::saturating_add)
    }

    /// The finished tree.
    pub(crate) fn preorder<'a>(&self, name: impl Fn(u32) -> &'a str) -> Preorder {
        let totals = self.totals();
        let (first, ordered) = self.ordered_children(&totals, name);
        let (first_other, others) = self.ordered_others();
        let children = |node: u32| {
            let node = node as usize;
            ordered[first[node] as usize..first[node + 1] as usize]
                .iter()
                .rev()
        };
        let mut steps = Vec::with_capacity(self.len());
        let mut shares = Vec::with_capacity(self.others.len());
        let mut open: Vec<(u32, u32)> = children(ROOT).map(|&node| (node, 1)).collect();
        while let Some((node, depth)) = open.pop() {
            let step = steps.len() as u32;
            let n = node as usize;
            let others = &others[first_other[n] as usize..first_other[n + 1] as usize];
            let of_others = others
                .iter()
                .fold(0u64, |sum, &(_, weight)| sum.saturating_add(weight));
            let mut heaviest = (self.frames[n], totals[n].saturating_sub(of_others));
            for &other in others {
                let mut lighter = other;
                if lighter.1 > heaviest.1 {
                    mem::swap(&mut lighter, &mut heaviest);
                }
                let (frame, weight) = lighter;
                shares.push(Share {
                    step,
                    frame,
                    weight,
                });
            }
            steps.push(Step {
                frame: heaviest.0,
                depth,
                own: self.own[n],
            });
            open.extend(children(node).map(|&child| (child, depth + 1)));
        }
        Preorder { steps, shares }
    }

    /// Per node what was added to it and below it.
    fn totals(&self) -> Vec<u64> {
        let mut totals = self.own.clone();
        for node in (1..totals.len()).rev() {
            let parent = self.parents[node] as usize;
            totals[parent] = totals[parent].saturating_add(totals[node]);
        }
        totals
    }

    /// The children of node n are `ordered[first[n]..first[n + 1]]`.
    fn ordered_children<'a>(
        &self,
        totals: &[u64],
        name: impl Fn(u32) -> &'a str,
    ) -> (Vec<u32>, Vec<u32>) {
        let nodes = self.parents.len();
        let first = starts(self.parents[1..].iter().copied(), nodes);
        let mut free = first.clone();
        let mut ordered = vec![0u32; nodes - 1];
        for node in 1..nodes {
            let place = &mut free[self.parents[node] as usize];
            ordered[*place as usize] = node as u32;
            *place += 1;
        }
        for node in 0..nodes {
            ordered[first[node] as usize..first[node + 1] as usize].sort_unstable_by(|&a, &b| {
                let weight = |node: u32| Reverse(totals[node as usize]);
                let frame = |node: u32| self.frames[node as usize];
                weight(a)
                    .cmp(&weight(b))
                    .then_with(|| name(frame(a)).cmp(name(frame(b))))
                    .then_with(|| frame(a).cmp(&frame(b)))
            });
        }
        (first, ordered)
    }

    /// The other frames of node n and what they have are `others[first[n]..first[n + 1]]`, in the
    /// order of the frames.
    fn ordered_others(&self) -> (Vec<u32>, Vec<(u32, u64)>) {
        let mut others: Vec<(u64, u64)> = self
            .others
            .iter()
            .map(|(&at, &weight)| (at, weight))
            .collect();
        others.sort_unstable();
        let nodes = others.iter().map(|&(at, _)| (at >> 32) as u32);
        let first = starts(nodes, self.parents.len());
        let others = others.iter().map(|&(at, weight)| (at as u32, weight));
        (first, others.collect())
    }
}

/// Where each node's part begins in a list of things that belong to these nodes, by node; and its
/// end.
fn starts(owners: impl Iterator<Item = u32>, nodes: usize) -> Vec<u32> {
    let mut first = vec![0u32; nodes + 1];
    for owner in owners {
        first[owner as usize + 1] += 1;
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "a", "a"];
    /// 4 and 5 are other ways to run a.
    const BOXES: [u32; 6] = [0, 1, 2, 3, 0, 0];

    fn tree(stacks: &[(&[u32], u64)]) -> Preorder {
        let mut tree = Tree::new();
        for &(stack, value) in stacks {
            tree.add(stack.iter().copied(), &BOXES, value);
        }
        tree.preorder(|frame| NAMES[frame as usize])
    }

    fn steps(preorder: &Preorder) -> Vec<(u32, u32, u64)> {
        let row = |step: &Step| (step.frame, step.depth, step.own);
        preorder.steps.iter().map(row).collect()
    }

    fn preorder(stacks: &[(&[u32], u64)]) -> Vec<(u32, u32, u64)> {
        let preorder = tree(stacks);
        assert_eq!(preorder.shares, []);
        steps(&preorder)
    }

    fn shares(preorder: &Preorder) -> Vec<(u32, u32, u64)> {
        let row = |share: &Share| (share.step, share.frame, share.weight);
        preorder.shares.iter().map(row).collect()
    }

    #[test]
    fn stacks_with_the_same_beginning_share_it() {
        let steps = preorder(&[(&[0, 1, 2], 3), (&[0, 1], 4), (&[0, 1, 2], 5), (&[0, 3], 1)]);
        assert_eq!(steps, [(0, 1, 0), (1, 2, 4), (2, 3, 8), (3, 2, 1)]);
    }

    #[test]
    fn a_frame_under_another_parent_is_another_node() {
        let steps = preorder(&[(&[0, 2], 2), (&[1, 2], 1), (&[0, 2], 2)]);
        assert_eq!(steps, [(0, 1, 0), (2, 2, 4), (1, 1, 0), (2, 2, 1)]);
    }

    #[test]
    fn recursion_is_kept_as_it_is() {
        let steps = preorder(&[(&[0, 0, 0], 1), (&[0, 0], 1)]);
        assert_eq!(steps, [(0, 1, 0), (0, 2, 1), (0, 3, 1)]);
    }

    #[test]
    fn frames_of_one_box_are_one_node_with_its_parts() {
        let tree = tree(&[
            (&[1, 0, 2], 3),
            (&[1, 4, 2], 5),
            (&[1, 5], 1),
            (&[1, 4], 2),
            (&[1, 0, 3], 1),
        ]);
        assert_eq!(
            steps(&tree),
            [(1, 1, 0), (4, 2, 3), (2, 3, 8), (3, 3, 1)],
            "the heaviest frame stands for the node"
        );
        assert_eq!(shares(&tree), [(1, 0, 4), (1, 5, 1)]);
    }

    #[test]
    fn a_box_stays_apart_under_another_parent() {
        let tree = tree(&[(&[1, 0], 2), (&[2, 4], 1), (&[0, 4, 5], 4), (&[4, 4], 1)]);
        assert_eq!(
            steps(&tree),
            [
                (0, 1, 0),
                (4, 2, 1),
                (5, 3, 4),
                (1, 1, 0),
                (0, 2, 2),
                (2, 1, 0),
                (4, 2, 1)
            ]
        );
        assert_eq!(shares(&tree), [(0, 4, 1)]);
    }

    #[test]
    fn of_equal_parts_the_one_that_came_first_stands_for_the_node() {
        let tree = tree(&[(&[5], 2), (&[4], 2), (&[0], 2)]);
        assert_eq!(steps(&tree), [(5, 1, 6)]);
        assert_eq!(shares(&tree), [(0, 0, 2), (0, 4, 2)]);
    }

    #[test]
    fn heavier_children_come_first_and_equal_ones_by_name() {
        let steps = preorder(&[(&[2], 1), (&[0], 1), (&[1, 3], 9), (&[3], 1)]);
        let top: Vec<u32> = steps.iter().filter(|s| s.1 == 1).map(|s| s.0).collect();
        assert_eq!(top, [1, 0, 2, 3]);
    }

    #[test]
    fn a_stack_of_a_million_frames_needs_no_recursion() {
        let mut tree = Tree::new();
        tree.add((0..1_000_000).map(|_| 0), &[0], 1);
        let Preorder { steps, .. } = tree.preorder(|_| "a");
        assert_eq!(steps.len(), 1_000_000);
        assert_eq!(steps.last().map(|step| step.depth), Some(1_000_000));
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let mut tree = Tree::new();
        tree.add([0].into_iter(), &BOXES, u64::MAX);
        tree.add([4].into_iter(), &BOXES, u64::MAX);
        tree.add([4].into_iter(), &BOXES, 5);
        tree.add([1].into_iter(), &BOXES, 5);
        assert_eq!(tree.total(), u64::MAX);
        let tree = tree.preorder(|frame| NAMES[frame as usize]);
        assert_eq!(steps(&tree)[0], (4, 1, u64::MAX));
        assert_eq!(shares(&tree), [(0, 0, 0)]);
    }
}
