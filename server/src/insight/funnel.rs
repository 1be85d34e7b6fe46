//! The funnel over time: how many deals come from stage to stage, and how long they stay.
//!
//! A deal has *reached* a stage if it was ever in it or in a later one: who skips a stage has passed
//! it. Lost is no later stage. The conversion of a stage is the share of the deals that reached it that
//! reached the next. A *stay* is the time from the writing of a stage to that of the next, other one;
//! stays that are not over are not counted, so that a stage nobody leaves has none.

use std::collections::BTreeMap;

use roadbook_protocol::document::schema::STAGES;
use roadbook_protocol::ids::UnixMs;

/// The stages in which a deal is open, in order.
pub const OPEN: [&str; 4] = ["lead", "qualified", "offer", "negotiation"];
/// Where a deal goes that was won.
pub const WON: &str = "won";
/// And one that was lost.
pub const LOST: &str = "lost";

/// A deal was put into a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, milliseconds since 1970.
    pub at: UnixMs,
    /// Into which; anything but [`STAGES`] is no stage.
    pub stage: String,
}

/// What was counted of one stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// Deals that reached it.
    pub reached: u64,
    /// Stays that are over, in milliseconds, from short to long.
    pub stays: Vec<i64>,
}

impl Stage {
    /// The median stay.
    pub fn median(&self) -> Option<i64> {
        let middle = self.stays.len() / 2;
        match self.stays.len() {
            0 => None,
            odd if odd % 2 == 1 => self.stays.get(middle).copied(),
            _ => Some((self.stays[middle - 1] + self.stays[middle]) / 2),
        }
    }
}

/// The funnel of a set of deals.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Funnel {
    /// Deals that had any stage.
    pub deals: u64,
    /// The open stages, then won.
    pub stages: [Stage; 5],
    /// Deals that are lost at the end.
    pub lost: u64,
    /// The time from the first stage to won, from short to long.
    pub to_won: Vec<i64>,
}

/// How far a stage is: 0 for the first, 4 for won; `None` for lost and for what is no stage.
pub fn rank(stage: &str) -> Option<usize> {
    STAGES.iter().position(|known| *known == stage).filter(|_| stage != LOST)
}

/// Counts the deals, each by its steps in any order.
pub fn funnel<K: Ord>(deals: BTreeMap<K, Vec<Step>>) -> Funnel {
    let mut funnel = Funnel::default();
    for mut steps in deals.into_values() {
        steps.sort_by(|a, b| {
            (a.at, rank(&a.stage), &a.stage).cmp(&(b.at, rank(&b.stage), &b.stage))
        });
        steps.dedup_by(|later, earlier| later.stage == earlier.stage);
        let known = |step: &Step| rank(&step.stage).is_some() || step.stage == LOST;
        let Some(first) = steps.iter().find(|step| known(step)).map(|step| step.at) else {
            continue;
        };
        funnel.deals += 1;
        let furthest = steps.iter().filter_map(|step| rank(&step.stage)).max();
        for stage in funnel.stages.iter_mut().take(furthest.map_or(0, |rank| rank + 1)) {
            stage.reached += 1;
        }
        for pair in steps.windows(2) {
            if let Some(rank) = rank(&pair[0].stage).filter(|rank| *rank < OPEN.len()) {
                funnel.stages[rank].stays.push(pair[1].at - pair[0].at);
            }
        }
        if let Some(won) = steps.iter().find(|step| step.stage == WON) {
            funnel.to_won.push(won.at - first);
        }
        funnel.lost += u64::from(steps.last().is_some_and(|last| last.stage == LOST));
    }
    for stage in &mut funnel.stages {
        stage.stays.sort_unstable();
    }
    funnel.to_won.sort_unstable();
    funnel
}

/// What a deal is expected to bring, in minor units: its amount times its probability, which is that of
/// its stage where the rep gave none. Nothing for a deal that is closed.
pub fn expected(stage: &str, amount: i64, probability: Option<i64>) -> i64 {
    let Some(usual) = usual_probability(stage) else { return 0 };
    let percent = probability.map_or(usual, |percent| percent.clamp(0, 100));
    (i128::from(amount) * i128::from(percent) / 100) as i64
}

/// The probability of a stage in percent, where nobody has judged the deal itself; `None` for a stage
/// in which it is not open.
pub fn usual_probability(stage: &str) -> Option<i64> {
    match stage {
        "" | "lead" => Some(10),
        "qualified" => Some(25),
        "offer" => Some(50),
        "negotiation" => Some(75),
        WON | LOST => None,
        _ => Some(10),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(list: &[(i64, &str)]) -> Vec<Step> {
        list.iter().map(|(at, stage)| Step { at: *at, stage: (*stage).to_owned() }).collect()
    }

    #[test]
    fn a_stage_that_was_skipped_was_passed_and_lost_is_no_later_stage() {
        let deals = BTreeMap::from([
            (1, steps(&[(0, "lead"), (10, "offer"), (30, "won")])),
            (2, steps(&[(0, "lead"), (50, "lost")])),
            (3, steps(&[(5, "qualified")])),
            (4, steps(&[(5, "")])),
        ]);
        let funnel = funnel(deals);
        let reached: Vec<u64> = funnel.stages.iter().map(|stage| stage.reached).collect();
        assert_eq!(reached, [3, 2, 1, 1, 1]);
        assert_eq!((funnel.deals, funnel.lost), (3, 1));
        assert_eq!(funnel.stages[0].stays, [10, 50]);
        assert_eq!(funnel.stages[0].median(), Some(30));
        assert_eq!(funnel.stages[1].median(), None, "a stay that is not over is none");
        assert_eq!(funnel.to_won, [30]);
    }

    #[test]
    fn writing_the_same_stage_again_is_no_move() {
        let deals = BTreeMap::from([(1, steps(&[(0, "lead"), (5, "lead"), (9, "offer")]))]);
        assert_eq!(funnel(deals).stages[0].stays, [9]);
    }

    #[test]
    fn what_is_expected_is_the_reps_judgement_or_that_of_the_stage() {
        assert_eq!(expected("offer", 1_000, Some(30)), 300);
        assert_eq!(expected("offer", 1_000, None), 500);
        assert_eq!(expected("offer", 1_000, Some(900)), 1_000);
        assert_eq!(expected("won", 1_000, Some(30)), 0);
        assert_eq!(expected("lost", 1_000, None), 0);
    }

    proptest! {
        #[test]
        fn the_funnel_is_what_looking_at_each_deal_gives(
            deals in prop::collection::vec(prop::collection::vec((0_i64..20, 0_usize..7), 0..6), 0..30)
        ) {
            const WORDS: [&str; 7] = ["lead", "qualified", "offer", "negotiation", "won", "lost", "other"];
            let all: BTreeMap<usize, Vec<Step>> = deals
                .iter()
                .map(|deal| steps(&deal.iter().map(|(at, word)| (*at, WORDS[*word])).collect::<Vec<_>>()))
                .enumerate()
                .collect();
            let counted = funnel(all);
            let with = |test: &dyn Fn(usize) -> bool| {
                deals.iter().filter(|deal| deal.iter().any(|(_, word)| test(*word))).count() as u64
            };
            prop_assert_eq!(counted.deals, with(&|word| word < 6));
            for rank in 0..5 {
                prop_assert_eq!(counted.stages[rank].reached, with(&|word| (rank..5).contains(&word)));
            }
            prop_assert_eq!(counted.to_won.len() as u64, with(&|word| word == 4));
            let stays: usize = counted.stages.iter().map(|stage| stage.stays.len()).sum();
            let steps: usize = deals.iter().map(|deal| deal.len().saturating_sub(1)).sum();
            prop_assert!(stays <= steps && counted.stages.iter().all(|s| s.stays.is_sorted()));
        }
    }
}
