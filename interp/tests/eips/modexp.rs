//! MODEXP in Osaka: EIP-7823, maximum length of operands; EIP-7883, price.

use super::{bytes, call, check, check_refused};
use evmscope_interp::{Fork, Word};

const MODEXP: u16 = 5;

fn input(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let header = [base, exponent, modulus].map(|part| Word::from(part.len()).to_be_bytes());
    [header.as_flattened(), base, exponent, modulus].concat()
}

/// The EIP's table. The price depends only on the lengths of base and modulus, and on the length and the
/// first 32 bytes of the exponent. These are from the EIP's vectors; all other bytes are replaced.
#[test]
fn the_table_of_eip_7883() {
    // Name, length of base, exponent (its first bytes and its length), length of modulus, gas since
    // Berlin (EIP-2565), gas since Osaka.
    for (name, base, (first, exponent), modulus, before, gas) in [
        ("nagydani_1_square", 64, ("02", 1), 64, 200, 500),
        ("nagydani_1_qube", 64, ("03", 1), 64, 200, 500),
        ("nagydani_1_pow0x10001", 64, ("010001", 3), 64, 341, 2_048),
        ("nagydani_2_square", 128, ("02", 1), 128, 200, 512),
        ("nagydani_2_qube", 128, ("03", 1), 128, 200, 512),
        (
            "nagydani_2_pow0x10001",
            128,
            ("010001", 3),
            128,
            1_365,
            8_192,
        ),
        ("nagydani_3_square", 256, ("02", 1), 256, 341, 2_048),
        ("nagydani_3_qube", 256, ("03", 1), 256, 341, 2_048),
        (
            "nagydani_3_pow0x10001",
            256,
            ("010001", 3),
            256,
            5_461,
            32_768,
        ),
        ("nagydani_4_square", 512, ("02", 1), 512, 1_365, 8_192),
        ("nagydani_4_qube", 512, ("03", 1), 512, 1_365, 8_192),
        (
            "nagydani_4_pow0x10001",
            512,
            ("010001", 3),
            512,
            21_845,
            131_072,
        ),
        ("nagydani_5_square", 1_024, ("02", 1), 1_024, 5_461, 32_768),
        ("nagydani_5_qube", 1_024, ("03", 1), 1_024, 5_461, 32_768),
        (
            "nagydani_5_pow0x10001",
            1_024,
            ("010001", 3),
            1_024,
            87_381,
            524_288,
        ),
        ("marius_1_even", 3, ("ff", 193), 12, 2_057, 45_296),
        ("guido_1_even", 16, ("1c", 216), 16, 2_298, 51_136),
        ("guido_2_even", 16, ("2b", 216), 16, 2_300, 51_152),
        ("guido_3_even", 487, ("07", 1), 715, 5_400, 32_400),
        ("guido_4_even", 1, ("ff", 385), 8, 1_026, 94_448),
        ("marcin_1_base_heavy", 192, ("03", 1), 192, 200, 1_152),
        ("marcin_1_exp_heavy", 8, ("ff", 81), 8, 215, 16_624),
        ("marcin_1_balanced", 40, ("01", 4), 40, 200, 1_200),
        ("marcin_2_base_heavy", 408, ("03", 1), 408, 867, 5_202),
        ("marcin_2_exp_heavy", 16, ("ff", 80), 16, 852, 16_368),
        ("marcin_2_balanced", 56, ("2b", 8), 56, 996, 5_978),
        ("marcin_3_base_heavy", 32, ("ff", 16), 32, 677, 2_032),
        ("marcin_3_exp_heavy", 24, ("ff", 32), 24, 765, 4_080),
        ("marcin_3_balanced", 32, ("ff", 32), 32, 1_360, 4_080),
    ] {
        let mut power = bytes(first);
        power.resize(exponent, 0xff);
        // A base of ones and a modulus that is a power of 256: whatever the exponent, the last byte of the
        // result is odd.
        let input = input(
            &vec![1; base],
            &power,
            &[&[1], &vec![0; modulus - 1][..]].concat(),
        );
        for (fork, gas) in [(Fork::Prague, before), (Fork::Osaka, gas)] {
            let scene = call(MODEXP, &input, fork);
            let seen = scene.run_all();
            assert_eq!(scene.message.gas - seen.gas_left, gas, "{name} {fork}");
            assert_eq!(seen.output.len(), modulus, "{name} {fork}");
            assert_eq!(seen.output.last().unwrap() % 2, 1, "{name} {fork}");
            check_refused(&scene.gas(gas - 1));
        }
    }
}

#[test]
fn results_are_those_of_eip_198() {
    let p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    let less = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e";
    let powers = [
        // The EIP's examples, by Fermat's little theorem: 3^(p - 1) mod p, 0^(p - 1) mod p.
        (
            input(&[3], &bytes(less), &bytes(p)),
            4_080,
            format!("{:064x}", 1),
        ),
        (input(&[], &bytes(less), &bytes(p)), 4_080, "0".repeat(64)),
        // Also a result with leading zeros, an empty modulus, and empty input.
        (input(&[2], &[3], &[0, 6]), 500, "0002".to_owned()),
        (input(&[2], &[3], &[]), 500, String::new()),
        (vec![], 500, String::new()),
    ];
    for (input, gas, output) in powers {
        check(&call(MODEXP, &input, Fork::Osaka), gas, &bytes(&output));
    }
    // 3^0xffff with truncated operands, which are padded with zeros.
    let cut = [1_u64, 2, 32].map(|len| Word::from(len).to_be_bytes());
    let cut = [cut.as_flattened(), &bytes("03 ffff 80")].concat();
    let result = "3b01b01ac41f2d6e917c6d6a221ce793802469026d9ab7578fa2e79e4da6aaab";
    check(&call(MODEXP, &cut, Fork::Osaka), 500, &bytes(result));
}

#[test]
fn operands_have_at_most_1024_bytes_since_osaka() {
    let most = vec![1; 1_024];
    let more = vec![1; 1_025];
    for [base, exponent, modulus] in [
        [&more[..], &[1], &[7]],
        [&[1], &more, &[7]],
        [&[1], &[1], &more],
    ] {
        let input = input(base, exponent, modulus);
        check_refused(&call(MODEXP, &input, Fork::Osaka));
        let before = call(MODEXP, &input, Fork::Prague).run_all();
        assert_eq!(before.output.len(), modulus.len());
    }
    let all = call(MODEXP, &input(&most, &[1], &most), Fork::Osaka).run_all();
    assert_eq!(all.output.len(), 1_024);
    // Only the lengths matter: there is no other input, and the modulus is empty.
    for place in 0..3 {
        for len in [Word::from(1_025_u64), Word([0, 1, 0, 0]), Word::MAX] {
            let mut header = [Word::ZERO; 3];
            header[place] = len;
            let header = header.map(Word::to_be_bytes);
            check_refused(&call(MODEXP, header.as_flattened(), Fork::Osaka));
        }
    }
}
