//! Changes inputs as a fuzzer would: always the same ones.

/// Bytes at which parsers change their mind.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff\"'<>&=/ \n-;0";
/// Numbers at which they do.
const NUMBERS: [&[u8]; 6] = [b"-1", b"0", b"256", b"65536", b"4294967296", b"18446744073709551616"];
/// An input grows no longer than this.
const LONGEST: usize = 8 * 1024;

/// Draws inputs from the files of a corpus.
pub struct Mutator<'a> {
    files: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Starts at a fixed seed.
    pub fn new(files: &'a [Vec<u8>]) -> Mutator<'a> {
        Mutator { files, state: 0x5afe_4b17 }
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = self.file().clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = at + self.below((input.len() - at).min(64) + 1);
        match self.below(7) {
            0 => drop(input.drain(at..end)),
            1 => input[at..end].reverse(),
            2 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            3 => {
                let other = self.file().clone();
                let from = self.below(other.len() + 1);
                let to = from + self.below(other.len() - from + 1);
                input.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                input.splice(at..end, number.iter().copied());
            }
            5 => input.insert(at, TELLING[self.below(TELLING.len())]),
            _ => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
        }
    }

    fn file(&mut self) -> &'a Vec<u8> {
        &self.files[self.below(self.files.len())]
    }

    /// A number below `end`: splitmix64, whose bias does not matter here.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

#[test]
fn inputs_differ_and_repeat() {
    let files = [b"<a b=\"1\"/>".to_vec(), b"xyz".to_vec()];
    let draw = || {
        let mut mutator = Mutator::new(&files);
        (0..1000).map(|_| mutator.next()).collect::<Vec<_>>()
    };
    assert_eq!(draw(), draw());
    let distinct: std::collections::HashSet<_> = draw().into_iter().collect();
    assert!(distinct.len() > 500, "{}", distinct.len());
}
