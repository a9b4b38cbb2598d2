//! The word against the crate `ruint` and against division bit by bit, over operands of every size class.

use super::Word;
use super::division::Divisor;
use alloy_primitives::U256;
use proptest::prelude::*;

fn uint(word: Word) -> U256 {
    U256::from_limbs(word.0)
}

fn word(value: U256) -> Word {
    Word(*value.as_limbs())
}

/// Words of all widths, with runs of ones and zeros. Uniform words would reach neither the fast paths of
/// division nor the rare corrections of algorithm D.
fn any_word() -> impl Strategy<Value = Word> {
    let limb = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1 << 63),
        any::<u64>(),
        (0u32..64).prop_map(|n| u64::MAX >> n),
    ];
    let limbs = [limb.clone(), limb.clone(), limb.clone(), limb];
    prop_oneof![
        limbs.clone().prop_map(Word),
        (limbs.clone(), 1usize..4).prop_map(|(mut l, keep)| {
            l[keep..].fill(0);
            Word(l)
        }),
        (limbs, 1usize..4).prop_map(|(mut l, keep)| {
            l[keep..].fill(0);
            Word(l).wrapping_neg()
        }),
        (0u64..300).prop_map(Word::from),
    ]
}

/// `number mod modulus`, bit by bit; the limbs are least significant first, the modulus is not 0.
fn slow_rem(number: &[u64], modulus: Word) -> Word {
    let mut rest = Word::ZERO;
    for limb in number.iter().rev() {
        for bit in (0..64).rev() {
            let (doubled, carry) = rest.overflowing_add(rest);
            let (next, _) = doubled.overflowing_add(Word::from(limb >> bit & 1));
            let (less, borrow) = next.overflowing_sub(modulus);
            rest = if carry || !borrow { less } else { next };
        }
    }
    rest
}

/// The digit and the remainder of `digit * divisor + rest`, divided again by long division with `N` limbs.
fn divided_again<const N: usize>(divisor: Word, digit: u64, rest: Word) -> (u64, Word) {
    let shift = divisor.leading_zeros() % 64;
    let mut limbs = [0; N];
    limbs.copy_from_slice(&divisor.0[..N]);
    // The numerator in five limbs, shifted like the divisor.
    let [a, b, c, d] = divisor.shift_left(shift).0;
    let mut numerator = [0; 5];
    let mut carry = 0;
    for (target, limb) in numerator.iter_mut().zip([a, b, c, d, 0]) {
        (*target, carry) = digit.carrying_mul(limb, carry);
    }
    let mut carry = false;
    for (target, limb) in numerator
        .iter_mut()
        .zip(rest.shift_left(shift).0.into_iter().chain([0]))
    {
        (*target, carry) = target.carrying_add(limb, carry);
    }
    let mut above = [0; N];
    above.copy_from_slice(&numerator[1..=N]);
    let divisor = Divisor::new(limbs);
    let (digit, rest) = divisor.next_digit(above, numerator[0]);
    (digit, divisor.unshift(rest))
}

/// All bits equal to the sign bit.
fn sign(number: i32) -> u64 {
    i64::from(number >> 31) as u64
}

fn signed_abs(value: U256) -> U256 {
    if value.bit(255) {
        value.wrapping_neg()
    } else {
        value
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn arithmetic_agrees_with_ruint(a in any_word(), b in any_word(), m in any_word()) {
        let (x, y, z) = (uint(a), uint(b), uint(m));
        prop_assert_eq!(a.wrapping_add(b), word(x.wrapping_add(y)));
        prop_assert_eq!(a.wrapping_sub(b), word(x.wrapping_sub(y)));
        prop_assert_eq!(a.wrapping_mul(b), word(x.wrapping_mul(y)));
        prop_assert_eq!(a.unsigned_div(b), word(x.checked_div(y).unwrap_or_default()));
        prop_assert_eq!(a.unsigned_rem(b), word(x.checked_rem(y).unwrap_or_default()));
        prop_assert_eq!(a.add_mod(b, m), word(x.add_mod(y, z)));
        prop_assert_eq!(a.mul_mod(b, m), word(x.mul_mod(y, z)));
        prop_assert_eq!(a.wrapping_pow(b), word(x.wrapping_pow(y)));
        prop_assert_eq!(a.lt(b), x < y);
        prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        prop_assert_eq!(a == b, x == y);
        prop_assert_eq!(a.leading_zeros() as usize, x.leading_zeros());
    }

    #[test]
    fn signed_arithmetic_follows_its_definition(a in any_word(), b in any_word()) {
        let (x, y) = (uint(a), uint(b));
        let quotient = signed_abs(x).checked_div(signed_abs(y)).unwrap_or_default();
        let remainder = signed_abs(x).checked_rem(signed_abs(y)).unwrap_or_default();
        let negate = |value: U256, negative| if negative { value.wrapping_neg() } else { value };
        prop_assert_eq!(a.signed_div(b), word(negate(quotient, x.bit(255) != y.bit(255))));
        prop_assert_eq!(a.signed_rem(b), word(negate(remainder, x.bit(255))));
        for power in 1..64 {
            let quotient = a.signed_div(Word::from(1_u64 << power));
            prop_assert_eq!(a.signed_div_power(power), quotient);
            if let Some(narrow) = a.narrow_div_power(power) {
                prop_assert_eq!(narrow, quotient);
            }
        }
        let flip = U256::from(1) << 255;
        prop_assert_eq!(a.signed_lt(b), (x ^ flip) < (y ^ flip));
    }

    /// Each digit of long division, also where its estimate is too large and where the top limbs are equal: rare cases
    /// that need a remainder next to 0 or to the divisor.
    #[test]
    fn every_digit_of_long_division_is_exact(
        divisor in any_word(),
        digit in prop_oneof![Just(u64::MAX), Just(u64::MAX - 1), Just(0), Just(1), any::<u64>()],
        rest in any_word(),
        offset in 1u64..4,
        far in any::<bool>(),
    ) {
        prop_assume!(!divisor.is_zero());
        let offset = Word::from(offset);
        let rest = if far { rest.unsigned_rem(divisor) } else { divisor.wrapping_sub(offset).unsigned_rem(divisor) };
        let again = match divisor.0 {
            [_, 0, 0, 0] => (digit, rest),
            [_, _, 0, 0] => divided_again::<2>(divisor, digit, rest),
            [_, _, _, 0] => divided_again::<3>(divisor, digit, rest),
            _ => divided_again::<4>(divisor, digit, rest),
        };
        prop_assert_eq!(again, (digit, rest));
    }

    /// A modulus that repeats takes its reciprocal from the second time on; others may come in between.
    #[test]
    fn products_of_repeated_moduli_agree(
        operands in prop::collection::vec((any_word(), any_word(), 0usize..6), 2..12),
        moduli in [any_word(), any_word(), any_word()],
    ) {
        for (a, b, which) in operands {
            let modulus = moduli[which % 3];
            // Half of the operands are below the modulus, as nearly all are in contracts.
            let [a, b] = [a, b].map(|word| if which < 3 { word.unsigned_rem(modulus) } else { word });
            let (sum, product) = (a.add_mod(b, modulus), a.mul_mod(b, modulus));
            if modulus.is_zero() {
                prop_assert_eq!((sum, product), (Word::ZERO, Word::ZERO));
                continue;
            }
            let (Word([s0, s1, s2, s3]), carry) = a.overflowing_add(b);
            prop_assert_eq!(sum, slow_rem(&[s0, s1, s2, s3, carry.into()], modulus));
            prop_assert_eq!(product, slow_rem(&a.widening_mul(b), modulus));
            prop_assert_eq!(product, word(uint(a).mul_mod(uint(b), uint(modulus))));
        }
    }

    #[test]
    fn powers_agree_with_ruint(base in prop_oneof![any_word(), (0u32..256).prop_map(|n| Word::ONE.shl(u64::from(n).into()))], exponent in any_word()) {
        prop_assert_eq!(base.wrapping_pow(exponent), word(uint(base).wrapping_pow(uint(exponent))));
    }

    /// If a fast path gives a result, the general path gives the same one.
    #[test]
    fn narrow_forms_agree_with_wide_ones(a in any_word(), b in any_word()) {
        let forms = [
            (a.narrow_mul(b), a.wrapping_mul(b)),
            (a.narrow_div(b), a.unsigned_div(b)),
            (a.narrow_rem(b), a.unsigned_rem(b)),
            (a.narrow_div(b), a.signed_div(b)),
            (a.narrow_rem(b), a.signed_rem(b)),
        ];
        for (narrow, wide) in forms {
            prop_assert!(narrow.is_none_or(|narrow| narrow == wide), "{narrow:?} {wide:?}");
        }
        let [one, other] = [a.0[0] as i32, b.0[0] as i32].map(|n| Word([n as i64 as u64, sign(n), sign(n), sign(n)]));
        prop_assert!(one.narrow_mul(other).is_some());
    }

    #[test]
    fn shifts_and_bytes_agree_with_ruint(a in any_word(), n in prop_oneof![(0u64..300).prop_map(Word::from), any_word()]) {
        let x = uint(a);
        let count = n.to_u64().map_or(usize::MAX, |n| n.min(1 << 20) as usize);
        prop_assert_eq!(a.shl(n), word(x.checked_shl(count).unwrap_or_else(|| x << count.min(256))));
        prop_assert_eq!(a.shr(n), word(if count < 256 { x >> count } else { U256::ZERO }));
        prop_assert_eq!(a.sar(n), word(x.arithmetic_shr(count.min(256))));
        let bytes = x.to_be_bytes::<32>();
        prop_assert_eq!(a.byte(n), Word::from(bytes.get(count).map_or(0u64, |&b| b.into())));
        let extended = if count < 31 {
            let drop = 248 - 8 * count;
            (x << drop).arithmetic_shr(drop)
        } else { x };
        prop_assert_eq!(a.sign_extend(n), word(extended));
    }

    #[test]
    fn text_and_bytes_round_trip(a in any_word()) {
        prop_assert_eq!(Word::from_be_bytes(a.to_be_bytes()), a);
        prop_assert_eq!(format!("{a}").parse::<Word>().unwrap(), a);
    }
}

#[test]
fn division_at_its_limits() {
    let least = Word([0, 0, 0, 1 << 63]);
    assert_eq!(least.signed_div(Word::MAX), least, "-2^255 / -1");
    assert_eq!(least.signed_rem(Word::MAX), Word::ZERO);
    let limits = [
        Word::ZERO,
        Word::ONE,
        Word::MAX,
        least,
        Word([0, 1, 0, 0]),
        Word([u64::MAX, u64::MAX, 0, 0]),
    ];
    for (a, b) in limits.into_iter().flat_map(|a| limits.map(|b| (a, b))) {
        for divide in [
            Word::unsigned_div,
            Word::unsigned_rem,
            Word::signed_div,
            Word::signed_rem,
        ] {
            assert_eq!(divide(a, Word::ZERO), Word::ZERO);
        }
        assert_eq!(a.add_mod(b, Word::ZERO), Word::ZERO);
        assert_eq!(a.mul_mod(b, Word::ZERO), Word::ZERO);
        for modulus in limits.into_iter().skip(1) {
            let product = slow_rem(&a.widening_mul(b), modulus);
            // Thrice: without its reciprocal, when it is prepared, and with it.
            assert_eq!(
                [(); 3].map(|()| a.mul_mod(b, modulus)),
                [product; 3],
                "{a} {b} {modulus}"
            );
        }
    }
}

#[test]
fn text_that_is_not_a_word_is_named_in_the_error() {
    for text in [
        "",
        "0x",
        "0xg",
        "-1",
        "1.5",
        &format!("0x1{}", "0".repeat(64)),
    ] {
        let error = text.parse::<Word>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{text}`")), "{error}");
    }
}
