//! The tree of all stacks, merged as they come.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

const ROOT: u32 = 0;

/// Nodes are numbered as they are made, so a parent's number is below its children's.
#[derive(Debug)]
pub(crate) struct Tree {
    parents: Vec<u32>,
    frames: Vec<u32>,
    own: Vec<u64>,
    /// (parent, frame) packed into one word -> node.
    children: FxHashMap<u64, u32>,
    /// The nodes of the stack added last: the next one usually begins with the same frames.
    last_path: Vec<u32>,
}

/// One node on the way down the finished tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) frame: u32,
    /// 1 for the root's children.
    pub(crate) depth: u32,
    pub(crate) own: u64,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            parents: vec![ROOT],
            frames: vec![u32::MAX],
            own: vec![0],
            children: FxHashMap::default(),
            last_path: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, stack: impl Iterator<Item = u32>, value: u64) {
        let mut node = ROOT;
        let mut depth = 0;
        for frame in stack {
            let again = self
                .last_path
                .get(depth)
                .copied()
                .filter(|&last| self.frames[last as usize] == frame);
            node = match again {
                Some(last) => last,
                None => {
                    let child = self.child(node, frame);
                    self.last_path.truncate(depth);
                    self.last_path.push(child);
                    child
                }
            };
            depth += 1;
        }
        self.last_path.truncate(depth);
        let own = &mut self.own[node as usize];
        *own = own.saturating_add(value);
    }

    fn child(&mut self, parent: u32, frame: u32) -> u32 {
        let key = u64::from(parent) << 32 | u64::from(frame);
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

    /// The nodes below the root in preorder: heavier children first, equal ones by name.
    pub(crate) fn preorder<'a>(&self, name: impl Fn(u32) -> &'a str) -> Vec<Step> {
        let (first, ordered) = self.ordered_children(name);
        let children = |node: u32| {
            let node = node as usize;
            ordered[first[node] as usize..first[node + 1] as usize]
                .iter()
                .rev()
        };
        let mut steps = Vec::with_capacity(self.len());
        let mut open: Vec<(u32, u32)> = children(ROOT).map(|&node| (node, 1)).collect();
        while let Some((node, depth)) = open.pop() {
            steps.push(Step {
                frame: self.frames[node as usize],
                depth,
                own: self.own[node as usize],
            });
            open.extend(children(node).map(|&child| (child, depth + 1)));
        }
        steps
    }

    /// The children of node n are `ordered[first[n]..first[n + 1]]`.
    fn ordered_children<'a>(&self, name: impl Fn(u32) -> &'a str) -> (Vec<u32>, Vec<u32>) {
        let nodes = self.parents.len();
        let mut totals = self.own.clone();
        let mut first = vec![0u32; nodes + 1];
        for node in (1..nodes).rev() {
            let parent = self.parents[node] as usize;
            totals[parent] = totals[parent].saturating_add(totals[node]);
            first[parent + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    fn preorder(stacks: &[(&[u32], u64)]) -> Vec<(u32, u32, u64)> {
        let mut tree = Tree::new();
        for &(stack, value) in stacks {
            tree.add(stack.iter().copied(), value);
        }
        tree.preorder(|frame| NAMES[frame as usize])
            .into_iter()
            .map(|step| (step.frame, step.depth, step.own))
            .collect()
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
    fn heavier_children_come_first_and_equal_ones_by_name() {
        let steps = preorder(&[(&[2], 1), (&[0], 1), (&[1, 3], 9), (&[3], 1)]);
        let top: Vec<u32> = steps.iter().filter(|s| s.1 == 1).map(|s| s.0).collect();
        assert_eq!(top, [1, 0, 2, 3]);
    }

    #[test]
    fn a_stack_of_a_million_frames_needs_no_recursion() {
        let mut tree = Tree::new();
        tree.add((0..1_000_000).map(|_| 0), 1);
        let steps = tree.preorder(|_| "a");
        assert_eq!(steps.len(), 1_000_000);
        assert_eq!(steps.last().map(|step| step.depth), Some(1_000_000));
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let mut tree = Tree::new();
        tree.add([0].into_iter(), u64::MAX);
        tree.add([0].into_iter(), 5);
        tree.add([1].into_iter(), 5);
        assert_eq!(tree.total(), u64::MAX);
        assert_eq!(
            tree.preorder(|frame| NAMES[frame as usize])[0].own,
            u64::MAX
        );
    }
}
