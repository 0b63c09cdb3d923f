//! Who is whose parent: two numbers a commit, and a list for merges of more than two.

/// No parent.
pub(super) const NONE: u32 = u32::MAX;

/// Marks a second parent that is a place in the list of merges of more than two.
const MANY: u32 = 0x8000_0000;

/// Parents of commits, by number. A number is below `0x7000_0000`.
#[derive(Default)]
pub(super) struct Edges {
    two: Vec<[u32; 2]>,
    /// For each merge of more than two: how many parents follow, then the second and all further ones.
    many: Vec<u32>,
}

impl Edges {
    /// Room for `n` more commits.
    pub(super) fn reserve(&mut self, n: usize) {
        self.two.reserve_exact(n);
    }

    /// Forgets all but the first `n` commits.
    pub(super) fn truncate(&mut self, n: usize) {
        self.two.truncate(n);
    }

    /// Number of commits.
    pub(super) fn len(&self) -> usize {
        self.two.len()
    }

    /// Adds a commit with up to two parents; [`NONE`] for one that is not there.
    pub(super) fn push_two(&mut self, one: u32, two: u32) {
        self.two.push([one, two]);
    }

    /// Adds a commit with these parents.
    pub(super) fn push(&mut self, parents: impl IntoIterator<Item = u32>) {
        let at = self.two.len();
        self.two.push([NONE, NONE]);
        self.set(at, parents);
    }

    /// Adds `n` commits without parents.
    pub(super) fn push_roots(&mut self, n: usize) {
        self.two.resize(self.two.len() + n, [NONE, NONE]);
    }

    /// Gives a commit one parent, or [`NONE`].
    #[inline]
    pub(super) fn set_one(&mut self, at: usize, one: u32) {
        self.two[at] = [one, NONE];
    }

    /// Gives a commit these parents.
    pub(super) fn set(&mut self, at: usize, parents: impl IntoIterator<Item = u32>) {
        let mut parents = parents.into_iter();
        let (one, two) = (parents.next().unwrap_or(NONE), parents.next().unwrap_or(NONE));
        let mut more = parents.peekable();
        self.two[at] = [one, two];
        if more.peek().is_some() {
            let count_at = self.many.len();
            self.two[at][1] = MANY | count_at as u32;
            self.many.extend([0, two]);
            self.many.extend(more);
            self.many[count_at] = (self.many.len() - count_at - 1) as u32;
        }
    }

    /// The first parent, or [`NONE`].
    #[inline]
    pub(super) fn first(&self, at: u32) -> u32 {
        self.two[at as usize][0]
    }

    /// The only parent, or the first of several; and whether it is the only one (or there is none).
    #[inline]
    pub(super) fn first_and_only(&self, at: u32) -> (u32, bool) {
        let [one, two] = self.two[at as usize];
        (one, two == NONE)
    }

    /// All parents, in order.
    #[inline]
    pub(super) fn of(&self, at: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let [one, two] = self.two[at as usize];
        let (two, more) = if two == NONE || two & MANY == 0 { (two, &[][..]) } else { (NONE, self.further(two)) };
        [one, two].into_iter().filter(|&parent| parent != NONE).chain(more.iter().copied())
    }

    #[cold]
    fn further(&self, two: u32) -> &[u32] {
        let count_at = (two & !MANY) as usize;
        &self.many[count_at + 1..][..self.many[count_at] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_back_in_order_however_many() {
        let mut edges = Edges::default();
        for n in 0..6 {
            edges.push(0..n);
        }
        for n in 0..6 {
            assert_eq!(edges.of(n).collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
        }
        edges.set(0, [4, 3, 2]);
        assert_eq!(edges.of(0).collect::<Vec<_>>(), [4, 3, 2]);
        assert_eq!(edges.of(5).count(), 5);
        assert_eq!((edges.first(0), edges.first_and_only(1)), (4, (0, true)));
    }
}
