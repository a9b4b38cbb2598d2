//! EIP-7951: verification of secp256r1 signatures, at 0x100.

use super::{bytes, call, check, check_absent};
use evmscope_interp::{Fork, Word};

const P256VERIFY: u16 = 0x100;
const GAS: u64 = 6_900;

/// Message hash and public key of most vectors in the EIP's `assets/eip-7951/test-vectors.json`, which are
/// from Wycheproof.
const HASH: &str = "bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023";
const R: &str = "2ba3a8be6b94d5ec80a6d9d1190a436effe50d85a1eee859b8cc6af9bd5c2e18";
const S: &str = "4cd60b855d442f5b3c7b11eb6c4e0ae7525fe710fab9aa7c77a67f79e6fadd76";
const X: &str = "2927b10512bae3eddcfe467828128bad2903269919f7086069c8c4df6c732838";
const Y: &str = "c7787964eaac00e5921fb1498a60f4606766b3d9685001558d1a974e7341513e";

/// The order of the group, and the modulus of the field.
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[track_caller]
fn verify(parts: [&str; 5], valid: bool) {
    let output = Word::ONE.to_be_bytes();
    let scene = call(P256VERIFY, &bytes(&parts.concat()), Fork::Osaka);
    check(&scene, GAS, if valid { &output } else { &[] });
}

#[test]
fn valid_signatures_give_one() {
    // #1, signature malleability: both s and n - s are valid.
    verify([HASH, R, S, X, Y], true);
    // "k*G has a large x-coordinate": r is that coordinate modulo n, which EIP-7951 handles and its
    // predecessor, RIP-7212, did not.
    verify(
        [
            HASH,
            "000000000000000000000000000000004319055358e8617b0c46353d039cdaab",
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254e",
            "0ad99500288d466940031d72a9f5445a4d43784640855bf0a69874d2de5fe103",
            "c5011e6ef2c42dcd50d5d3d29f99ae6eba2c80c9244f4c5422f0979ff0c3ba5e",
        ],
        true,
    );
}

#[test]
fn invalid_signatures_give_nothing_and_cost_the_same() {
    let near = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    for (r, s) in [
        // #3 to #8: r or s changed by n.
        (
            "d45c5740946b2a147f59262ee6f5bc90bd01ed280528b62b3aed5fc93f06f739",
            "b329f479a2bbd0a5c384ee1493b1f5186a87139cac5df4087c134b49156847db",
        ),
        (
            "d45c5741946b2a137f59262ee6f5bc91001af27a5e1117a64733950642a3d1e8",
            "b329f479a2bbd0a5c384ee1493b1f5186a87139cac5df4087c134b49156847db",
        ),
        (
            R,
            "4cd60b865d442f5a3c7b11eb6c4e0ae79578ec6353a20bf783ecb4b6ea97b825",
        ),
        // #9 to #32: special values.
        (ZERO, ZERO),
        (ZERO, ONE),
        (ZERO, N),
        (ZERO, near),
        (ZERO, P),
        (ONE, ZERO),
        (ONE, ONE),
        (ONE, N),
        (ONE, near),
        (ONE, P),
        (N, ZERO),
        (N, ONE),
        (N, N),
        (N, near),
        (N, P),
        (near, ZERO),
        (near, ONE),
        (near, N),
        // A valid r with s out of range, and vice versa.
        (R, ZERO),
        (R, N),
        (ZERO, S),
        (N, S),
    ] {
        verify([HASH, r, s, X, Y], false);
    }
    verify([ZERO, R, S, X, Y], false);
}

#[test]
fn keys_must_be_points_of_the_curve() {
    verify([HASH, R, S, ZERO, ZERO], false);
    verify([HASH, R, S, Y, X], false);
    verify([HASH, R, S, P, Y], false);
    verify([HASH, R, S, X, P], false);
}

#[test]
fn inputs_are_160_bytes() {
    let input = bytes(&[HASH, R, S, X, Y].concat());
    let longer = [&input[..], &[0]].concat();
    for input in [&[][..], &input[..159], &input[..128], &longer] {
        check(&call(P256VERIFY, input, Fork::Osaka), GAS, &[]);
    }
}

#[test]
fn comes_with_osaka() {
    let input = bytes(&[HASH, R, S, X, Y].concat());
    check_absent(&call(P256VERIFY, &input, Fork::Prague));
}
