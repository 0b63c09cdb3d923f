//! What a series did within a span of time.

use alignwatch_model::Timestamp;

/// What a series did within a span of time. There is none where nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where the span begins.
    pub at: Timestamp,
    /// How many numbers there are.
    pub n: u64,
    /// The least of them.
    pub least: f64,
    /// The greatest.
    pub most: f64,
    /// Their sum.
    pub sum: f64,
    /// The first.
    pub first: f64,
    /// The last.
    pub last: f64,
}

impl Point {
    /// One number as it was measured.
    pub(crate) fn number(at: i64, value: f64) -> Point {
        Point { at: Timestamp(at), n: 1, least: value, most: value, sum: value, first: value, last: value }
    }

    /// Takes in what came later within the same span.
    pub(crate) fn take_in(&mut self, later: &Point) {
        self.n = self.n.saturating_add(later.n);
        self.least = self.least.min(later.least);
        self.most = self.most.max(later.most);
        self.sum += later.sum;
        self.last = later.last;
    }
}

/// Gathers points into wider spans that begin at `from` and have `width` seconds each.
///
/// Where the clock was set back, first and last are those that were taken in first and last.
#[derive(Debug)]
pub(crate) struct Spans {
    from: i64,
    width: i64,
    done: std::collections::BTreeMap<i64, Point>,
    /// The span that the last point fell into: nearly always the next one does, too.
    current: Option<Point>,
}

impl Spans {
    pub(crate) fn new(from: i64, width: i64) -> Spans {
        Spans { from, width: width.max(1), done: Default::default(), current: None }
    }

    /// Where the span begins that a time lies in.
    pub(crate) fn begin(&self, at: i64) -> i64 {
        // Times come from a file: what overflows is at the end of time.
        let since = at.saturating_sub(self.from);
        self.from.saturating_add(since.div_euclid(self.width).saturating_mul(self.width))
    }

    pub(crate) fn add(&mut self, point: Point) {
        match &mut self.current {
            Some(current) if current.at.0 <= point.at.0 && point.at.0.saturating_sub(current.at.0) < self.width => {
                current.take_in(&point);
            }
            _ => self.change(point),
        }
    }

    fn change(&mut self, point: Point) {
        let at = self.begin(point.at.0);
        if let Some(before) = self.current.take() {
            self.done.insert(before.at.0, before);
        }
        let current = match self.done.remove(&at) {
            Some(mut span) => {
                span.take_in(&point);
                span
            }
            None => Point { at: Timestamp(at), ..point },
        };
        self.current = Some(current);
    }

    /// The spans in which there is something, in order of time.
    pub(crate) fn finish(mut self) -> Vec<Point> {
        if let Some(last) = self.current.take() {
            self.done.insert(last.at.0, last);
        }
        self.done.into_values().collect()
    }
}
