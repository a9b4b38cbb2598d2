//! Pairs of interpreters: agreement reports nothing, a planted difference is named, and whatever the checked
//! run does, only the changes of the serving run stay in the host.

use alloy_primitives::{Address, B256, Bytes};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{
    AccountInfo, Checkpoint, Code, Environment, Execute, Fork, Host, Interpreter, Load, Log,
    Message, Mode, PrecompileResult, Settings, Shadow, Status, Store, Word, asm,
};
use std::sync::Arc;

const CALLER: Address = Address::repeat_byte(1);
const CONTRACT: Address = Address::repeat_byte(2);
const OTHER: Address = Address::repeat_byte(3);

fn world(source: &str) -> World {
    let mut world = World::new(Environment::default());
    world.insert(CALLER, Account::funded(Word::from(1_000u64)));
    world.insert(CONTRACT, Account::contract(&asm::assemble(source).unwrap()));
    // A callee that stores, logs and reverts.
    let callee = "PUSH1 7 PUSH0 SSTORE PUSH0 PUSH0 LOG0 PUSH0 PUSH0 REVERT";
    world.insert(OTHER, Account::contract(&asm::assemble(callee).unwrap()));
    world.begin_transaction(Fork::Osaka, &[CALLER, CONTRACT]);
    world
}

fn message() -> Message {
    Message::call(CALLER, CONTRACT, Bytes::new(), 200_000)
}

fn interpreter(mode: Mode, fork: Fork) -> Interpreter {
    Interpreter::with_settings(mode, fork, Settings::eager())
}

fn state(world: &World) -> String {
    let accounts = world.accounts().map(|(address, account)| {
        let storage: Vec<_> = account.storage().collect();
        format!(
            "{address} {} {} {} {storage:?}\n",
            account.balance,
            account.nonce,
            account.code.hash()
        )
    });
    accounts.collect::<String>() + &format!("{:?}", world.logs().collect::<Vec<_>>())
}

/// Stores, logs, makes a call that reverts, and counts down from 3.
const BUSY: &str = "PUSH1 1 PUSH1 5 SSTORE PUSH1 0x2a PUSH0 MSTORE PUSH1 32 PUSH0 LOG0 \
    PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH20 0x0303030303030303030303030303030303030303 GAS CALL POP \
    PUSH1 3 JUMPDEST PUSH1 1 SWAP1 SUB DUP1 PUSH1 44 JUMPI \
    PUSH1 32 PUSH0 RETURN";

#[test]
fn two_modes_agree_and_one_serves() {
    for serve in Mode::ALL {
        let [served, checked] = match serve {
            Mode::Traditional => [Mode::Traditional, Mode::Advanced],
            Mode::Advanced => [Mode::Advanced, Mode::Traditional],
        };
        let mut alone = world(BUSY);
        let expected = interpreter(served, Fork::Osaka).execute(message(), &mut alone);
        let mut shadowed = world(BUSY);
        let mut shadow = Shadow::new(
            interpreter(served, Fork::Osaka),
            interpreter(checked, Fork::Osaka),
        );
        let outcome = shadow.execute(message(), &mut shadowed);
        assert_eq!(shadow.differences(), []);
        assert_eq!(outcome, expected);
        assert_eq!(outcome.status, Status::Success);
        assert_eq!(state(&shadowed), state(&alone));
        let other = shadow.shadowed().unwrap();
        assert_eq!(other.gas_used, outcome.gas_used);
    }
}

#[test]
fn another_price_is_a_difference_and_does_not_change_what_is_served() {
    // Reading a cold slot costs 2,100 since Berlin, 800 before.
    let source = "PUSH1 9 SLOAD PUSH1 1 PUSH1 5 SSTORE STOP";
    let mut alone = world(source);
    let expected = interpreter(Mode::Advanced, Fork::Berlin).execute(message(), &mut alone);
    let mut shadowed = world(source);
    let mut shadow = Shadow::new(
        interpreter(Mode::Advanced, Fork::Berlin),
        interpreter(Mode::Traditional, Fork::Istanbul),
    );
    assert_eq!(shadow.execute(message(), &mut shadowed), expected);
    assert_eq!(state(&shadowed), state(&alone));
    let found: Vec<_> = shadow.differences().iter().map(|it| it.what).collect();
    assert_eq!(found, ["gas used", "gas left"]);
    assert_eq!(
        shadow.differences()[0].served,
        expected.gas_used.to_string()
    );
}

/// A different environment for the checked run: the stored value depends on it, gas and status do not.
#[test]
fn another_value_in_storage_is_a_difference_even_if_gas_agrees() {
    let mut shadow = Shadow::new(
        interpreter(Mode::Traditional, Fork::Osaka),
        interpreter(Mode::Advanced, Fork::Osaka),
    );
    let mut liar = Liar {
        world: world("PUSH1 1 SLOAD PUSH1 5 SSTORE STOP"),
        loads: 0,
        panics: false,
    };
    let outcome = shadow.execute(message(), &mut liar);
    assert_eq!(outcome.status, Status::Success);
    let [difference] = shadow.differences() else {
        panic!("{:?}", shadow.differences())
    };
    assert_eq!(difference.what, "effects");
    assert!(difference.served.contains("set to 0x2"), "{difference}");
    assert!(difference.checked.contains("set to 0x1"), "{difference}");
}

#[test]
fn a_panic_of_the_checked_run_is_reported_and_does_not_propagate() {
    let mut shadow = Shadow::new(
        interpreter(Mode::Traditional, Fork::Osaka),
        interpreter(Mode::Advanced, Fork::Osaka),
    );
    let mut liar = Liar {
        world: world("PUSH1 1 SLOAD PUSH1 5 SSTORE STOP"),
        loads: 0,
        panics: true,
    };
    let outcome = shadow.execute(message(), &mut liar);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(shadow.differences().len(), 1);
    assert_eq!(shadow.differences()[0].what, "panic");
    assert_eq!(shadow.differences()[0].checked, "planted");
    assert!(shadow.shadowed().is_none());
    // Both interpreters work for the next message.
    shadow.execute(message(), &mut world(BUSY));
    assert_eq!(shadow.differences(), []);
}

/// A world in which reading a slot returns the number of reads so far, or panics the first time.
struct Liar {
    world: World,
    loads: u64,
    panics: bool,
}

impl Host for Liar {
    fn load(&mut self, address: Address, key: Word) -> Load {
        self.loads += 1;
        assert!(!(self.panics && self.loads == 1), "planted");
        Load {
            value: Word::from(self.loads),
            ..self.world.load(address, key)
        }
    }

    fn environment(&self) -> &Environment {
        self.world.environment()
    }

    fn block_hash(&mut self, number: u64) -> B256 {
        self.world.block_hash(number)
    }

    fn account(&mut self, address: Address) -> AccountInfo {
        self.world.account(address)
    }

    fn code(&mut self, address: Address) -> &Arc<Code> {
        self.world.code(address)
    }

    fn warm_account(&mut self, address: Address) -> bool {
        self.world.warm_account(address)
    }

    fn store(&mut self, address: Address, key: Word, value: Word) -> Store {
        self.world.store(address, key, value)
    }

    fn load_transient(&mut self, address: Address, key: Word) -> Word {
        self.world.load_transient(address, key)
    }

    fn store_transient(&mut self, address: Address, key: Word, value: Word) {
        self.world.store_transient(address, key, value);
    }

    fn log(&mut self, log: Log) {
        self.world.log(log);
    }

    fn transfer(&mut self, from: Address, to: Address, value: Word) -> bool {
        self.world.transfer(from, to, value)
    }

    fn increment_nonce(&mut self, address: Address) -> Option<u64> {
        self.world.increment_nonce(address)
    }

    fn create(&mut self, address: Address, fork: Fork) -> bool {
        self.world.create(address, fork)
    }

    fn set_code(&mut self, address: Address, code: Arc<Code>) {
        self.world.set_code(address, code);
    }

    fn selfdestruct(&mut self, address: Address, beneficiary: Address, fork: Fork) -> bool {
        self.world.selfdestruct(address, beneficiary, fork)
    }

    fn precompile(
        &mut self,
        address: Address,
        input: &[u8],
        gas: u64,
        fork: Fork,
    ) -> Option<PrecompileResult> {
        self.world.precompile(address, input, gas, fork)
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.world.checkpoint()
    }

    fn revert(&mut self, to: Checkpoint) {
        self.world.revert(to);
    }
}
