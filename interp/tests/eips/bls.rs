//! EIP-2537: BLS12-381, at 0x0b to 0x11. Vectors: the EIP's `assets/eip-2537`, their names in comments.

use super::{bytes, call, check, check_absent, check_refused};
use alloy_primitives::hex;
use evmscope_interp::{Fork, Word};

const G1ADD: u16 = 0x0b;
const G1MSM: u16 = 0x0c;
const G2ADD: u16 = 0x0d;
const G2MSM: u16 = 0x0e;
const PAIRING_CHECK: u16 = 0x0f;
const MAP_FP_TO_G1: u16 = 0x10;
const MAP_FP2_TO_G2: u16 = 0x11;

/// Coordinates, each 48 bytes, in hex.
type Point<'a> = &'a [&'a str];

/// The generator, another point, their sum, their negatives, their doubles, and zero.
const G1: Point = &[
    "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
    "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1",
];
const P1: Point = &[
    "112b98340eee2777cc3c14163dea3ec97977ac3dc5c70da32e6e87578f44912e902ccef9efe28d4a78b8999dfbca9426",
    "186b28d92356c4dfec4b5201ad099dbdede3781f8998ddf929b4cd7756192185ca7b8f4ef7088f813270ac3d48868a21",
];
const G1_P1: Point = &[
    "0a40300ce2dec9888b60690e9a41d3004fda4886854573974fab73b046d3147ba5b7a5bde85279ffede1b45b3918d82d",
    "06d3d887e9f53b9ec4eb6cedf5607226754b07c01ace7834f57f3e7315faefb739e59018e22c492006190fba4a870025",
];
const MINUS_G1: Point = &[
    G1[0],
    "114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca",
];
const TWO_G1: Point = &[
    "0572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e",
    "166a9d8cabc673a322fda673779d8e3822ba3ecb8670e461f73bb9021d5fd76a4c56d9d4cd16bd1bba86881979749d28",
];
const TWO_P1: Point = &[
    "15222cddbabdd764c4bee0b3720322a65ff4712c86fc4b1588d0c209210a0884fa9468e855d261c483091b2bf7de6a63",
    "09f9edb99bc3b75d7489735c98b16ab78b9386c5f7a1f76c7e96ac6eb5bbde30dbca31a74ec6e0f0b12229eecea33c39",
];
const ZERO_1: Point = &[FP_ZERO; 2];
/// On the curve, but not in the subgroup (`g1_not_in_correct_subgroup`).
const OUTSIDE_1: Point = &[
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "193fb7cedb32b2c3adc06ec11a96bc0d661869316f5e4a577a9f7c179593987beb4fb2ee424dbb2f5dd891e228b46c4a",
];

/// As for the first group.
const G2: Point = &[
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8",
    "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e",
    "0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801",
    "0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be",
];
const P2: Point = &[
    "103121a2ceaae586d240843a398967325f8eb5a93e8fea99b62b9f88d8556c80dd726a4b30e84a36eeabaf3592937f27",
    "086b990f3da2aeac0a36143b7d7c824428215140db1bb859338764cb58458f081d92664f9053b50b3fbd2e4723121b68",
    "0f9e7ba9a86a8f7624aa2b42dcc8772e1af4ae115685e60abc2c9b90242167acef3d0be4050bf935eed7c3b6fc7ba77e",
    "0d22c3652d0dc6f0fc9316e14268477c2049ef772e852108d269d9c38dba1d4802e8dae479818184c08f9a569d878451",
];
const G2_P2: Point = &[
    "0b54a8a7b08bd6827ed9a797de216b8c9057b3a9ca93e2f88e7f04f19accc42da90d883632b9ca4dc38d013f71ede4db",
    "077eba4eecf0bd764dce8ed5f45040dd8f3b3427cb35230509482c14651713282946306247866dfe39a8e33016fcbe52",
    "14e60a76a29ef85cbd69f251b9f29147b67cfe3ed2823d3f9776b3a0efd2731941d47436dc6d2b58d9e65f8438bad073",
    "1586c3c910d95754fef7a732df78e279c3d37431c6a2b77e67a00c7c130a8fcd4d19f159cbeb997a178108fffffcbd20",
];
const MINUS_G2: Point = &[
    G2[0],
    G2[1],
    "0d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa",
    "13fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed",
];
const TWO_G2: Point = &[
    "1638533957d540a9d2370f17cc7ed5863bc0b995b8825e0ee1ea1e1e4d00dbae81f14b0bf3611b78c952aacab827a053",
    "0a4edef9c1ed7f729f520e47730a124fd70662a904ba1074728114d1031e1572c6c886f6b57ec72a6178288c47c33577",
    "0468fb440d82b0630aeb8dca2b5256789a66da69bf91009cbfe6bd221e47aa8ae88dece9764bf3bd999d95d71e4c9899",
    "0f6d4552fa65dd2638b361543f887136a43253d9c66c411697003f7a13c308f5422e1aa0a59c8967acdefd8b6e36ccf3",
];
const ZERO_2: Point = &[FP_ZERO; 4];

const FP_ZERO: &str = "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
/// The first coordinate of [`G1`] plus the modulus: not a field element.
const BEYOND_FIELD: &str = "31f2e5916b17be2e71b10b4292f558e727dfd7d48af9cbc5087f0ce00dcca27c8b01e83eaace1aefb539f00adb227166";

/// The precompiles' encoding: each coordinate after 16 zero bytes.
fn encode(points: &[Point]) -> Vec<u8> {
    let padded = |fp: &&str| [&[0; 16], &hex::decode(fp).unwrap()[..]].concat();
    points.concat().iter().flat_map(padded).collect()
}

/// Pairs of a point and a scalar.
fn products(pairs: &[(Point, &str)]) -> Vec<u8> {
    let pair = |(point, scalar): &(Point, &str)| {
        let scalar: Word = scalar.parse().unwrap();
        [encode(&[point]), scalar.to_be_bytes().to_vec()].concat()
    };
    pairs.iter().flat_map(pair).collect()
}

#[track_caller]
fn gives(precompile: u16, gas: u64, input: &[u8], output: &[u8]) {
    for fork in [Fork::Prague, Fork::Osaka] {
        check(&call(precompile, input, fork), gas, output);
    }
}

#[track_caller]
fn refuses(precompile: u16, input: &[u8]) {
    for fork in [Fork::Prague, Fork::Osaka] {
        check_refused(&call(precompile, input, fork));
    }
}

#[test]
fn points_are_added() {
    for (a, b, sum) in [
        (G1, P1, G1_P1),        // bls_g1add_g1+p1
        (P1, G1, G1_P1),        // bls_g1add_p1+g1
        (G1, ZERO_1, G1),       // bls_g1add_(g1+0=g1)
        (P1, ZERO_1, P1),       // bls_g1add_(p1+0=p1)
        (G1, MINUS_G1, ZERO_1), // bls_g1add_(g1-g1=0)
        (G1, G1, TWO_G1),       // bls_g1add_(g1+g1=2*g1)
        (P1, P1, TWO_P1),       // bls_g1add_(p1+p1=2*p1)
        // The subgroup is not checked here.
        (OUTSIDE_1, ZERO_1, OUTSIDE_1),
    ] {
        gives(G1ADD, 375, &encode(&[a, b]), &encode(&[sum]));
    }
    for (a, b, sum) in [
        (G2, P2, G2_P2),        // bls_g2add_g2+p2
        (P2, G2, G2_P2),        // bls_g2add_p2+g2
        (G2, ZERO_2, G2),       // bls_g2add_(g2+0=g2)
        (G2, MINUS_G2, ZERO_2), // bls_g2add_(g2-g2=0)
        (G2, G2, TWO_G2),       // bls_g2add_(g2+g2=2*g2)
    ] {
        gives(G2ADD, 600, &encode(&[a, b]), &encode(&[sum]));
    }
}

#[test]
fn points_are_multiplied_and_added() {
    // Not below the order of the group.
    let large = "0x9a2b64cc58f8992cb21237914262ca9ada6cb13dc7b7d3f11c278fe0462040e4";
    let large_g1: Point = &[
        "0491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a",
        "17cd7061575d3e8034fcea62adaa1a3bc38dca4b50e4c5c01d04dd78037c9cee914e17944ea99e7ad84278e5d49f36c4",
    ];
    let two_g1_two_p1: Point = &[
        "148f92dced907361b4782ab542a75281d4b6f71f65c8abf94a5a9082388c64662d30fd6a01ced724feef3e284752038c",
        "15c3634c3b67bc18e19150e12bfd8a1769306ed010f59be645a0823acb5b38f39e8e0d86e59b6353fdafc59ca971b769",
    ];
    for (pairs, gas, result) in [
        (&[(G1, "2")][..], 12_000, TWO_G1),  // bls_g1msm_(g1+g1=2*g1)
        (&[(P1, "2")], 12_000, TWO_P1),      // bls_g1msm_(p1+p1=2*p1)
        (&[(G1, "1")], 12_000, G1),          // bls_g1msm_(1*g1=g1)
        (&[(G1, "0")], 12_000, ZERO_1),      // bls_g1msm_(0*g1=inf)
        (&[(ZERO_1, "17")], 12_000, ZERO_1), // bls_g1msm_(x*inf=inf)
        (&[(G1, large)], 12_000, large_g1),  // bls_g1msm_random*g1_unnormalized_scalar
        (&[(G1, "2"), (G1, "0")], 22_776, TWO_G1), // bls_g1msm_(2g1+inf)
        (&[(G1, "2"), (P1, "2")], 22_776, two_g1_two_p1), // bls_g1msm_(2g1+2p1)
        (&[(ZERO_1, "0"); 3], 30_528, ZERO_1), // bls_g1msm_discount_table_3
        (&[(ZERO_1, "0"); 7], 61_992, ZERO_1), // as many as bls_g1msm_multiple
        // After the end of the table, the last discount applies: 519 of 1,000.
        (&[(ZERO_1, "0"); 129], 129 * 12_000 * 519 / 1_000, ZERO_1),
    ] {
        gives(G1MSM, gas, &products(pairs), &encode(&[result]));
    }
    let two_g2_two_p2: Point = &[
        "009cc9ed6635623ba19b340cbc1b0eb05c3a58770623986bb7e041645175b0a38d663d929afb9a949f7524656043bccc",
        "0c0fb19d3f083fd5641d22a861a11979da258003f888c59c33005cb4a2df4df9e5a2868832063ac289dfa3e997f21f8a",
        "168bf7d87cef37cf1707849e0a6708cb856846f5392d205ae7418dd94d94ef6c8aa5b424af2e99d957567654b9dae1d9",
        "17e0fa3c3b2665d52c26c7d4cea9f35443f4f9007840384163d3aa3c7d4d18b21b65ff4380cf3f3b48e94b5eecb221dd",
    ];
    for (pairs, gas, result) in [
        (&[(G2, "2")][..], 22_500, TWO_G2),  // bls_g2msm_(g2+g2=2*g2)
        (&[(P2, "1")], 22_500, P2),          // bls_g2msm_(1*p2=p2)
        (&[(G2, "0")], 22_500, ZERO_2),      // bls_g2msm_(0*g2=inf)
        (&[(ZERO_2, "17")], 22_500, ZERO_2), // bls_g2msm_(x*inf=inf)
        (&[(G2, "2"), (ZERO_2, "2")], 45_000, TWO_G2), // bls_g2msm_(2g2+inf)
        (&[(G2, "2"), (P2, "2")], 45_000, two_g2_two_p2), // bls_g2msm_(2g2+2p2)
        (&[(ZERO_2, "0"); 129], 129 * 22_500 * 524 / 1_000, ZERO_2),
    ] {
        gives(G2MSM, gas, &products(pairs), &encode(&[result]));
    }
}

#[test]
fn pairings_are_checked() {
    for (points, holds) in [
        // bls_pairing_e(G1,0)=e(0,G2)
        (&[G1, ZERO_2, ZERO_1, G2][..], true),
        // bls_pairing_non-degeneracy
        (&[G1, G2], false),
        // bls_pairing_bilinearity: e(g1, g2) e(p1, g2) = e(g1 + p1, g2)
        (&[G1, G2, P1, G2, G1_P1, MINUS_G2], true),
        // bls_pairing_e(G1,-G2)=e(-G1,G2)
        (&[G1, G2, G1, MINUS_G2], true),
        (&[G1, G2, G1, G2], false),
    ] {
        let pairs = points.len() as u64 / 2;
        let output = Word::from(holds).to_be_bytes();
        let gas = 37_700 + 32_600 * pairs;
        gives(PAIRING_CHECK, gas, &encode(points), &output);
    }
}

#[test]
fn field_elements_are_mapped_to_points() {
    for (fp, point) in [
        // bls_g1map_
        (
            "156c8a6a2c184569d69a76be144b5cdc5141d2d2ca4fe341f011e25e3969c55ad9e9b9ce2eb833c81a908e5fa4ac5f03",
            [
                "184bb665c37ff561a89ec2122dd343f20e0f4cbcaec84e3c3052ea81d1834e192c426074b02ed3dca4e7676ce4ce48ba",
                "04407b8d35af4dacc809927071fc0405218f1401a6d15af775810e4e460064bcc9468beeba82fdc751be70476c888bf3",
            ],
        ),
        // bls_g1map_616263
        (
            "147e1ed29f06e4c5079b9d14fc89d2820d32419b990c1c7bb7dbea2a36a045124b31ffbde7c99329c05c559af1c6cc82",
            [
                "009769f3ab59bfd551d53a5f846b9984c59b97d6842b20a2c565baa167945e3d026a3755b6345df8ec7e6acb6868ae6d",
                "1532c00cf61aa3d0ce3e5aa20c3b531a2abd2c770a790a2613818303c6b830ffc0ecf6c357af3317b9575c567f11cd2c",
            ],
        ),
    ] {
        let point: Vec<_> = point.map(padded).concat();
        gives(MAP_FP_TO_G1, 5_500, &padded(fp), &point);
    }
    // bls_g2map_
    let fp2 = [
        "07355d25caf6e7f2f0cb2812ca0e513bd026ed09dda65b177500fa31714e09ea0ded3a078b526bed3307f804d4b93b04",
        "02829ce3c021339ccb5caf3e187f6370e1e2a311dec9b75363117063ab2015603ff52c3d3b98f19c2f65575e99e8b78c",
    ];
    let point = [
        "00e7f4568a82b4b7dc1f14c6aaa055edf51502319c723c4dc2688c7fe5944c213f510328082396515734b6612c4e7bb7",
        "126b855e9e69b1f691f816e48ac6977664d24d99f8724868a184186469ddfd4617367e94527d4b74fc86413483afb35b",
        "0caead0fd7b6176c01436833c79d305c78be307da5f6af6c133c47311def6ff1e0babf57a0fb5539fce7ee12407b0a42",
        "1498aadcf7ae2b345243e281ae076df6de84455d766ab6fcdaad71fab60abb2e8b980a440043cd305db09d283c895e3d",
    ];
    let [input, output] =
        [&fp2[..], &point].map(|fps| fps.iter().flat_map(|fp| padded(fp)).collect::<Vec<_>>());
    gives(MAP_FP2_TO_G2, 23_800, &input, &output);
}

fn padded(fp: &str) -> Vec<u8> {
    [&[0; 16], &bytes(fp)[..]].concat()
}

#[test]
fn inputs_have_the_right_length() {
    for (precompile, input) in [
        (G1ADD, encode(&[G1, P1])),
        (G1MSM, products(&[(G1, "2")])),
        (G2ADD, encode(&[G2, P2])),
        (G2MSM, products(&[(G2, "2")])),
        (PAIRING_CHECK, encode(&[G1, ZERO_2])),
        (MAP_FP_TO_G1, padded(G1[0])),
        (MAP_FP2_TO_G2, encode(&[G1])),
    ] {
        let longer = [&[0], &input[..]].concat();
        for wrong in [&[][..], &input[1..], &longer] {
            refuses(precompile, wrong);
        }
        // The 16 bytes above a coordinate are zero (`violate_top_bytes`).
        let mut top = input.clone();
        top[0] = 0x10;
        refuses(precompile, &top);
        // There is nothing before Prague.
        check_absent(&call(precompile, &input, Fork::Cancun));
    }
}

#[test]
fn coordinates_must_be_in_the_field_and_points_on_the_curve() {
    let beyond: Point = &[BEYOND_FIELD, G1[1]];
    let off_curve_1: Point = &[G1[0], P1[1]];
    let beyond_2: Point = &[BEYOND_FIELD, G2[1], G2[2], G2[3]];
    let off_curve_2: Point = &[P2[0], G2[1], G2[2], G2[3]];
    for point in [beyond, off_curve_1] {
        refuses(G1ADD, &encode(&[point, P1]));
        refuses(G1ADD, &encode(&[P1, point]));
        refuses(G1MSM, &products(&[(point, "2")]));
        refuses(G1MSM, &products(&[(G1, "2"), (point, "0")]));
        refuses(PAIRING_CHECK, &encode(&[point, ZERO_2]));
        refuses(PAIRING_CHECK, &encode(&[point, G2]));
    }
    for point in [beyond_2, off_curve_2] {
        refuses(G2ADD, &encode(&[point, P2]));
        refuses(G2MSM, &products(&[(point, "2")]));
        refuses(PAIRING_CHECK, &encode(&[ZERO_1, point]));
        refuses(PAIRING_CHECK, &encode(&[G1, point]));
    }
    refuses(MAP_FP_TO_G1, &padded(BEYOND_FIELD));
    refuses(MAP_FP2_TO_G2, &encode(&[&[G1[0], BEYOND_FIELD]]));
}

#[test]
fn points_must_be_in_the_subgroup_except_for_additions() {
    refuses(G1MSM, &products(&[(OUTSIDE_1, "2")]));
    refuses(G1MSM, &products(&[(G1, "2"), (OUTSIDE_1, "0")]));
    refuses(PAIRING_CHECK, &encode(&[OUTSIDE_1, ZERO_2]));
    refuses(PAIRING_CHECK, &encode(&[OUTSIDE_1, G2]));
}
