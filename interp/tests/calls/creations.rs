//! CREATE and CREATE2: addresses, nonces, limits and costs.

use crate::common::{CALLER, CONTRACT, PLENTY, Scene, assemble, words};
use crate::{create, deploys, gas, give, init_in_memory, metered, numbers, run};
use alloy_primitives::{B256, keccak256};
use evmscope_interp::world::Account;
use evmscope_interp::{Halt, Status, Word};

#[test]
fn creations_make_accounts() {
    let runtime = assemble("PUSH1 1 STOP");
    let init = deploys(&runtime);
    let seen = run(&Scene::asm(&(create(&init, 7) + &give(1))).balance(9));
    let created = CONTRACT.create(1);
    assert_eq!(seen.words(), [Word::from(created)]);
    let account = &seen.accounts[&created];
    assert_eq!((account.nonce, account.balance), (1, Word::from(7_u64)));
    assert_eq!(account.code_hash, keccak256(&runtime));
    assert_eq!(seen.accounts[&CONTRACT].nonce, 2);
    assert_eq!(seen.accounts[&CONTRACT].balance, Word::from(2_u64));
}

#[test]
fn create2_addresses_depend_on_salt_and_code() {
    for (salt, init) in [
        (0_u64, &[0][..]),
        (0xfeed, &[0]),
        (0xcafe_babe, &[0x5f, 0x5f, 0xf3]),
    ] {
        let source = format!(
            "PUSH5 {salt} {} PUSH0 CREATE2 {}",
            init_in_memory(init),
            give(1)
        );
        let created = CONTRACT.create2(B256::from(Word::from(salt)), keccak256(init));
        assert_eq!(
            run(&Scene::asm(&source)).words(),
            [Word::from(created)],
            "{salt}"
        );
    }
}

#[test]
fn creations_increment_the_nonce_of_their_creator() {
    let twice = create(&[0], 0) + &create(&[0], 0) + &give(2);
    let seen = run(&Scene::asm(&twice));
    assert_eq!(
        seen.words(),
        [CONTRACT.create(2).into(), Word::from(CONTRACT.create(1))]
    );
    // A creation that fails increments the nonce; one that fails before it starts does not.
    for failing in ["INVALID", "PUSH0 PUSH0 REVERT"] {
        let seen = run(&Scene::asm(&create(&assemble(failing), 0)));
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2, "{failing}");
    }
    let seen = run(&Scene::asm(&(create(&[0], 99) + &give(1))));
    assert_eq!(
        (seen.words(), seen.accounts[&CONTRACT].nonce),
        (words("0"), 1)
    );
    // Init code creates with the nonce 1 of the account it makes (EIP-161).
    let nested = assemble("PUSH0 PUSH0 PUSH0 CREATE");
    let seen = run(&Scene::asm(&create(&nested, 0)));
    let first = CONTRACT.create(1);
    assert_eq!(seen.accounts[&first].nonce, 2);
    assert!(seen.accounts.contains_key(&first.create(1)));
}

#[test]
fn creations_cost_by_word_and_by_byte() {
    // An immediate STOP; 33 bytes of init code; 3 bytes of deployed code.
    let base = 32_000;
    for (source, expected) in [
        ("PUSH0 PUSH0 PUSH0 CREATE", 6 + base),
        ("PUSH1 33 PUSH0 PUSH0 CREATE", 7 + base + 2 * 2 + 6),
        ("PUSH0 PUSH0 PUSH0 PUSH0 CREATE2", 8 + base),
        (
            "PUSH0 PUSH1 33 PUSH0 PUSH0 CREATE2",
            9 + base + (2 + 6) * 2 + 6,
        ),
    ] {
        assert_eq!(gas(&Scene::asm(source)), expected, "{source}");
    }
    let deploy = assemble("PUSH1 3 PUSH0 RETURN");
    assert_eq!(
        gas(&Scene::asm(&create(&deploy, 0))),
        3 + 2 + 3 + 3 + 3 + 3 + 3 + base + 2 + (3 + 2 + 3) + 600
    );
}

#[test]
fn creations_that_cannot_pay_the_deposit_fail() {
    let deploy = assemble("PUSH1 100 PUSH0 RETURN");
    let source = create(&deploy, 0) + &format!("RETURNDATASIZE {}", give(2));
    let needs = 20_000 + 5 + 12;
    for (gas, works) in [
        (32_000 + 22 + needs * 64 / 63 + 100, true),
        (32_000 + 22 + needs, false),
    ] {
        let seen = run(&Scene::asm(&source).gas(gas));
        assert_eq!(seen.status, Status::Success);
        assert_eq!(!seen.words()[1].is_zero(), works, "{gas}");
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2);
    }
}

#[test]
fn deployed_code_has_limits() {
    // EIP-170: the size; EIP-3541: the first byte.
    for (init, works) in [
        ("PUSH2 24576 PUSH0 RETURN", true),
        ("PUSH2 24577 PUSH0 RETURN", false),
        ("PUSH1 0xef PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN", false),
        ("PUSH1 0xef PUSH0 MSTORE8 PUSH0 PUSH0 RETURN", true),
        ("PUSH1 0xef PUSH1 1 MSTORE8 PUSH1 2 PUSH0 RETURN", true),
    ] {
        let seen = run(&Scene::asm(&(create(&assemble(init), 0) + &give(1))));
        assert_eq!(!seen.words()[0].is_zero(), works, "{init}");
        // As a top-level message.
        let seen = run(&Scene::asm(init).creation());
        assert_eq!(seen.created.is_some(), works, "{init}");
    }
    let status = |source: &str| Scene::asm(source).creation().run_all().status;
    assert_eq!(
        status("PUSH2 24577 PUSH0 RETURN"),
        Status::Halt(Halt::CodeSizeLimit)
    );
    assert_eq!(
        status("PUSH1 0xef PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN"),
        Status::Halt(Halt::CodePrefix)
    );
}

#[test]
fn init_code_has_a_limit() {
    // EIP-3860: a frame that exceeds the limit fails.
    for op in [
        "PUSH2 {} PUSH0 PUSH0 CREATE",
        "PUSH0 PUSH2 {} PUSH0 PUSH0 CREATE2",
    ] {
        let status = |len: &str| run(&Scene::asm(&op.replace("{}", len))).status;
        assert_eq!(status("49152"), Status::Success);
        assert_eq!(status("49153"), Status::Halt(Halt::InitCodeSizeLimit));
    }
}

#[test]
fn taken_addresses_are_not_created() {
    let target = CONTRACT.create(1);
    let with_balance = || {
        let mut account = Account::default();
        account.balance = 5_u64.into();
        account
    };
    let with_storage = || {
        let mut account = Account::default();
        account.set_storage(Word::ONE, Word::ONE);
        account
    };
    let source = create(&[0], 0) + &format!("RETURNDATASIZE {}", give(2));
    for (name, account, free) in [
        ("a nonce and code", Account::contract(&[0]), false),
        ("a nonce", Account::contract(&[]), false),
        ("a balance", with_balance(), true),
        ("storage (EIP-7610)", with_storage(), false),
    ] {
        let scene = Scene::asm(&source).with(target, account).gas(100_000);
        // The reference does not check storage.
        let seen = if name.starts_with("storage") {
            scene.run_all()
        } else {
            run(&scene)
        };
        assert_eq!(!seen.words()[1].is_zero(), free, "{name}");
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2, "{name}");
        // The callee's gas is used up.
        assert_eq!(seen.gas_left < 2_000, !free, "{name}");
    }
    // The second creation with the same salt and code.
    let again = "PUSH0 PUSH0 PUSH0 PUSH0 CREATE2 ".repeat(2) + &give(2);
    let words = run(&Scene::asm(&again)).words();
    assert_eq!((words[0], words[1].is_zero()), (Word::ZERO, false));
}

#[test]
fn nonces_have_a_limit() {
    let source = create(&[0], 0) + &format!("RETURNDATASIZE {}", give(2));
    let scene = Scene::asm(&source)
        .alter(|account| account.nonce = u64::MAX)
        .gas(100_000);
    let seen = run(&scene);
    assert_eq!(seen.words(), words("0 0"));
    assert_eq!(seen.accounts[&CONTRACT].nonce, u64::MAX);
    assert!(seen.gas_left > 60_000, "the callee's gas is returned");
}

#[test]
fn created_addresses_are_warm_even_when_reverted() {
    let access = metered(&format!("PUSH20 {:#x} BALANCE", CONTRACT.create(1)));
    for init in ["STOP", "PUSH0 PUSH0 REVERT", "INVALID"] {
        let source = create(&assemble(init), 0) + &access + &give(1);
        assert_eq!(
            run(&Scene::asm(&source)).words(),
            numbers([100 + 3]),
            "{init}"
        );
    }
}

#[test]
fn creation_messages_return_the_address() {
    let runtime = assemble("PUSH1 1 STOP");
    let mut scene = Scene::new(&deploys(&runtime)).creation().value(3);
    let seen = run(&scene);
    let created = CALLER.create(0);
    assert_eq!(
        (seen.status, seen.created),
        (Status::Success, Some(created))
    );
    assert!(seen.output.is_empty());
    assert_eq!(seen.accounts[&created].code_hash, keccak256(&runtime));
    assert_eq!(seen.accounts[&created].balance, Word::from(3_u64));
    assert_eq!(seen.accounts[&CALLER].nonce, 1);

    scene.message.value = Word::MAX;
    let refused = run(&scene);
    assert_eq!(refused.status, Status::Halt(Halt::InsufficientBalance));
    assert_eq!(refused.gas_left, PLENTY);

    let reverted = run(&Scene::asm("PUSH1 9 PUSH0 REVERT").creation());
    assert_eq!((reverted.status, reverted.created), (Status::Revert, None));
    assert_eq!(reverted.output[..], [0; 9]);
    assert_eq!(reverted.accounts[&CALLER].nonce, 1);
}

#[test]
fn insufficient_balance_costs_no_gas() {
    let seen = run(&Scene::asm("PUSH1 1 PUSH0 SSTORE").value(1_000_001));
    assert_eq!(seen.status, Status::Halt(Halt::InsufficientBalance));
    assert_eq!(seen.gas_left, PLENTY);
    assert_eq!(seen.slot(0), Word::ZERO);
}
