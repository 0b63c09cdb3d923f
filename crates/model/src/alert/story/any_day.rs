//! Any day: looks, doubts, silences, acknowledgements, failures of the channel, and kills, in any order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Seen(Vec<u8>),
    Doubt,
    Silence,
    Ack,
    Down(bool),
    Kill,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => proptest::collection::vec(0..4_u8, 0..4).prop_map(Act::Seen),
        1 => Just(Act::Doubt),
        1 => Just(Act::Silence),
        1 => Just(Act::Ack),
        1 => any::<bool>().prop_map(Act::Down),
        1 => Just(Act::Kill),
        2 => Just(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whoever heard of a firing hears of its end, once the channel works and all is well for long enough.
    #[test]
    fn every_firing_that_was_told_gets_its_end(acts in proptest::collection::vec((act(), 1..90_i64), 1..40)) {
        let mut world = World::new();
        let mut minute = 0;
        for (act, minutes) in acts {
            minute += minutes;
            let names = ["a", "b", "c", "d"];
            match act {
                Act::Seen(which) => world.seen(minute, &which.iter().map(|&i| names[usize::from(i)]).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()),
                Act::Doubt => world.look(minute, &[], Some("in doubt")),
                Act::Silence => world.wish(minute, silence(minute, minute + 50)),
                Act::Ack => {
                    let first = world.0.book.firing().next().map(|alert| alert.id.clone());
                    let ack = Ack { who: "ada".into(), note: String::new(), at: Timestamp(0), until: None, is_sticky: false };
                    first.into_iter().for_each(|alert| world.wish(minute, Wish::Ack { alert, ack: ack.clone() }));
                }
                Act::Down(is_down) => world.is_down(is_down),
                Act::Kill => world.killed(minute),
                Act::Wait => world.wait(minute),
            }
        }
        world.is_down(false);
        // Well for two hours, so that flapping has settled, and the longest pause between attempts is over.
        for step in 0..40 {
            world.seen(minute + 30 * (step + 1), &[]);
        }
        let mut firing: std::collections::BTreeMap<(String, String), bool> = Default::default();
        let told = world.told();
        for line in &told {
            let (head, alerts) = line.rsplit_once(": ").unwrap();
            let channel = head.split(' ').nth(1).unwrap();
            for word in alerts.split(' ').filter(|word| word.starts_with(['+', '-'])) {
                firing.insert((channel.to_owned(), word[1..].to_owned()), word.starts_with('+'));
            }
        }
        let open: Vec<_> = firing.iter().filter(|(_, is_firing)| **is_firing).collect();
        prop_assert!(open.is_empty(), "{open:?}\n{told:#?}");
        let all_ended = world.0.book.told.values().all(|told| told.firing.is_empty());
        prop_assert!(all_ended && world.0.book.outbox.is_empty(), "{:?}", world.0.book.outbox);
    }
}
