//! Spreads items over threads that take them as they become free, so that no thread waits while another has a queue.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Stack of a thread: walking trees makes a call for each level of folders.
///
/// Source: ours; 32 KiB for each of 2,048 levels. Memory is taken only as deep as a tree goes.
const STACK_BYTES: usize = 64 << 20;

/// The numbers of the items that one thread is to do: neighbours first, since they have most in common.
pub(crate) struct Numbers<'a> {
    next: &'a AtomicUsize,
    n_items: usize,
    portion: usize,
    here: Range<usize>,
}

impl Iterator for Numbers<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.here.is_empty() {
            let start = self.next.fetch_add(self.portion, Ordering::Relaxed).min(self.n_items);
            self.here = start..(start + self.portion).min(self.n_items);
        }
        self.here.next()
    }
}

/// Does `n_items`, `portion` neighbours at a time, on `n_threads`. `work` runs once on each thread, answers every
/// number that it is given, and may keep what the thread needs (a database, a cache). Answers come in order.
///
/// Panics when `work` does.
pub(crate) fn spread<R: Send>(
    n_items: usize,
    portion: usize,
    n_threads: usize,
    work: &(dyn Fn(Numbers<'_>) -> Vec<(usize, R)> + Sync),
) -> Vec<R> {
    let next = &AtomicUsize::new(0);
    let portion = portion.max(1);
    let n_threads = n_threads.clamp(1, n_items.div_ceil(portion).max(1));
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let start = |_| {
            let numbers = Numbers { next, n_items, portion, here: 0..0 };
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, move || work(numbers)).expect("the system lets us start a thread")
        };
        let threads: Vec<_> = (0..n_threads).map(start).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the work does not panic")).collect()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_answers_come_in_order() {
        for (n_items, portion, n_threads) in [(0, 1, 4), (1, 8, 4), (1_000, 7, 3), (10, 0, 0)] {
            let squares = spread(n_items, portion, n_threads, &|numbers| numbers.map(|at| (at, at * at)).collect());
            assert_eq!(squares, (0..n_items).map(|at| at * at).collect::<Vec<_>>());
        }
    }
}
