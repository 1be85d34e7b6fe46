//! The difference of two texts in whole words, so that two people's edits of one note are merged
//! word by word. Myers' algorithm over words, bounded; where texts differ more than that, the part
//! between the common beginning and end is one hunk.

use std::ops::Range;

/// The number of differing words up to which the smallest difference is searched. The search takes
/// time and memory by its square.
const EDITS_MAX: usize = 512;

/// A part of the old text that is replaced by a part of the new one; positions are code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hunk {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// The hunks that differ, in order, each as small as it gets.
pub(crate) fn hunks(old: &[char], new: &[char]) -> Vec<Hunk> {
    let whole = Hunk { old: 0..old.len(), new: 0..new.len() };
    let Some(middle) = trimmed(old, new, whole) else { return Vec::new() };
    let old_words = words(old, &middle.old);
    let new_words = words(new, &middle.new);
    let text = |text: &'_ [char], word: &Range<usize>| text[word.clone()].to_vec();
    let a: Vec<Vec<char>> = old_words.iter().map(|word| text(old, word)).collect();
    let b: Vec<Vec<char>> = new_words.iter().map(|word| text(new, word)).collect();
    let Some(edits) = myers(&a, &b) else { return vec![middle] };
    let bound = |words: &[Range<usize>], index: usize, end: usize| {
        words.get(index).map_or(end, |word| word.start)
    };
    edits
        .into_iter()
        .filter_map(|(in_a, in_b)| {
            let range = |words: &[Range<usize>], part: &Range<usize>, end| {
                bound(words, part.start, end)..bound(words, part.end, end)
            };
            let hunk = Hunk {
                old: range(&old_words, &in_a, middle.old.end),
                new: range(&new_words, &in_b, middle.new.end),
            };
            trimmed(old, new, hunk)
        })
        .collect()
}

/// A hunk without what its sides have in common at the beginning and the end; `None` if all is.
fn trimmed(old: &[char], new: &[char], hunk: Hunk) -> Option<Hunk> {
    let (a, b) = (&old[hunk.old.clone()], &new[hunk.new.clone()]);
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y);
    let tail = tail.count();
    let hunk = Hunk {
        old: hunk.old.start + head..hunk.old.end - tail,
        new: hunk.new.start + head..hunk.new.end - tail,
    };
    (!hunk.old.is_empty() || !hunk.new.is_empty()).then_some(hunk)
}

/// Runs of letters and digits, and every other character by itself. Scripts that write no spaces
/// (three bytes and more in UTF-8) count by the character.
fn words(text: &[char], part: &Range<usize>) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut in_word = false;
    for at in part.clone() {
        let letter = text[at].is_alphanumeric() && text[at].len_utf8() < 3;
        match words.last_mut() {
            Some(word) if letter && in_word => word.end = at + 1,
            _ => words.push(at..at + 1),
        }
        in_word = letter;
    }
    words
}

type Edit = (Range<usize>, Range<usize>);

/// The parts of `a` and `b` that differ; `None` if more than [`EDITS_MAX`] elements do.
fn myers(a: &[Vec<char>], b: &[Vec<char>]) -> Option<Vec<Edit>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let max = EDITS_MAX as isize;
    // v[k + offset] is how far in `a` diagonal k (= x - y) was reached.
    let offset = max + 1;
    let mut v = vec![0isize; 2 * max as usize + 3];
    let mut trace: Vec<Vec<isize>> = Vec::new();
    for d in 0..=max {
        // The diagonals -d..=d as they were before this round.
        trace.push(v[(offset - d - 1) as usize..=(offset + d + 1) as usize].to_vec());
        for k in (-d..=d).step_by(2) {
            let (left, right) = (v[(k - 1 + offset) as usize], v[(k + 1 + offset) as usize]);
            let down = k == -d || k != d && left < right;
            let mut x = if down { right } else { left + 1 };
            let mut y = x - k;
            while x < n && y < m && a[x as usize] == b[y as usize] {
                x += 1;
                y += 1;
            }
            v[(k + offset) as usize] = x;
            if x >= n && y >= m {
                return Some(backtrack(&trace, n, m));
            }
        }
    }
    None
}

fn backtrack(trace: &[Vec<isize>], n: isize, m: isize) -> Vec<Edit> {
    let (mut x, mut y) = (n, m);
    let mut edits: Vec<Edit> = Vec::new();
    for (d, v) in trace.iter().enumerate().rev() {
        let d = d as isize;
        if d == 0 {
            break;
        }
        let k = x - y;
        let at = |k: isize| v[(k + d + 1) as usize];
        let down = k == -d || k != d && at(k - 1) < at(k + 1);
        let previous = if down { k + 1 } else { k - 1 };
        let from_x = at(previous);
        let from_y = from_x - previous;
        let (to_x, to_y) = if down { (from_x, from_y + 1) } else { (from_x + 1, from_y) };
        let edit = (from_x as usize..to_x as usize, from_y as usize..to_y as usize);
        match edits.last_mut() {
            // Found from the end to the beginning: what touches the one before joins it.
            Some(last) if last.0.start == edit.0.end && last.1.start == edit.1.end => {
                last.0.start = edit.0.start;
                last.1.start = edit.1.start;
            }
            _ => edits.push(edit),
        }
        (x, y) = (from_x, from_y);
    }
    edits.reverse();
    edits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patched(old: &str, new: &str) -> (String, Vec<(String, String)>) {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let mut text = Vec::new();
        let mut at = 0;
        let mut shown = Vec::new();
        for hunk in hunks(&old, &new) {
            text.extend_from_slice(&old[at..hunk.old.start]);
            text.extend_from_slice(&new[hunk.new.clone()]);
            at = hunk.old.end;
            shown.push((old[hunk.old].iter().collect(), new[hunk.new].iter().collect()));
        }
        text.extend_from_slice(&old[at..]);
        (text.into_iter().collect(), shown)
    }

    #[test]
    fn two_edits_are_two_hunks_and_each_is_small() {
        let old = "likes tea, has two dogs and a boat in Aarhus";
        let new = "likes green tea, has two dogs and a ship in Aarhus";
        let (text, hunks) = patched(old, new);
        assert_eq!(text, new);
        assert_eq!(hunks, [("".into(), "green ".into()), ("boat".into(), "ship".into())]);
    }

    #[test]
    fn equal_texts_have_no_hunk_and_huge_differences_are_one() {
        assert!(patched("same", "same").1.is_empty());
        let old: String = (0..3000).map(|n| format!("a{n} ")).collect();
        let new: String = (0..3000).map(|n| format!("b{n} ")).collect();
        let (text, hunks) = patched(&old, &new);
        assert_eq!((text, hunks.len()), (new, 1));
    }

    proptest! {
        #[test]
        fn the_hunks_always_turn_the_old_text_into_the_new(
            old in "[ab ,\n日ü]{0,60}", new in "[ab ,\n日ü]{0,60}",
        ) {
            prop_assert_eq!(patched(&old, &new).0, new);
        }
    }
}
