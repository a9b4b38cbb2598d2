//! The word against the crate `ruint`, over operands of every size class.

use super::Word;
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
