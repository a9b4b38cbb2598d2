// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// A small contract to create and to call.
contract Child {
    error Refused();

    uint256 public value;

    constructor(uint256 initial) {
        if (initial == type(uint256).max) revert Refused();
        value = initial;
    }

    function bump(uint256 by) external returns (uint256) {
        value += by;
        return value;
    }
}

/// Messages inside the message: calls of all kinds, creations, failures and what they leave behind.
contract Subcall {
    error Unexpected(uint256 step);
    error Deliberate(uint256 detail);

    event Kept(uint256 indexed round);
    event Lost(uint256 indexed round);

    uint256 private constant ROUNDS = 64;
    uint256 private constant ROUND_DEPTH = 8;
    uint256 private constant LONGEST_CHAIN = 256;

    uint256 private depthSum;
    uint256 private survivors;

    function Benchmark() external returns (uint256 sum, uint256 depths, uint256 kept) {
        for (uint256 round = 0; round < ROUNDS; round++) {
            sum += _create(round);
            sum += _nest(ROUND_DEPTH + (round % 8));
            sum += _fail(round);
            sum += _echo(round * 67);
            emit Kept(round);
        }
        sum += _nest(LONGEST_CHAIN);
        return (sum, depthSum, survivors);
    }

    // ---------------------------------------------------------------- creations

    function _create(uint256 round) private returns (uint256 sum) {
        Child plain = new Child(round);
        Child salted = new Child{salt: bytes32(round)}(round + 1);
        sum = plain.bump(1) + salted.bump(2) + plain.value() + salted.value();
        sum += address(plain).code.length;
        if (address(plain).codehash != address(salted).codehash) revert Unexpected(1);

        try new Child(type(uint256).max) {
            revert Unexpected(2);
        } catch (bytes memory reason) {
            if (bytes4(reason) != Child.Refused.selector) revert Unexpected(3);
        }
        // A second creation at the same address fails and costs all its gas (EIP-684).
        try this.collide{gas: 100_000}(bytes32(round), round + 1) {
            revert Unexpected(4);
        } catch {}
    }

    function collide(bytes32 salt, uint256 initial) external {
        new Child{salt: salt}(initial);
    }

    // ---------------------------------------------------------------- depth

    function _nest(uint256 depth) private returns (uint256) {
        return this.descend(depth) + this.descendStatic(depth) + _descendDelegate(depth);
    }

    /// By CALL: each level writes storage.
    function descend(uint256 depth) external returns (uint256) {
        depthSum += depth;
        return depth == 0 ? 1 : this.descend(depth - 1) + 1;
    }

    /// By STATICCALL: reads only.
    function descendStatic(uint256 depth) external view returns (uint256) {
        return depth == 0 ? depthSum % 1_000 : this.descendStatic(depth - 1) + 1;
    }

    /// By DELEGATECALL: the caller and the storage stay.
    function descendDelegate(uint256 depth) external returns (uint256) {
        depthSum += 1;
        return depth == 0 ? uint256(uint160(msg.sender)) % 1_000 : _descendDelegate(depth - 1) + 1;
    }

    function _descendDelegate(uint256 depth) private returns (uint256) {
        (bool success, bytes memory output) =
            address(this).delegatecall(abi.encodeCall(this.descendDelegate, (depth)));
        if (!success) revert Unexpected(5);
        return abi.decode(output, (uint256));
    }

    // ---------------------------------------------------------------- failures

    function _fail(uint256 round) private returns (uint256 sum) {
        try this.undone(round) {
            revert Unexpected(6);
        } catch (bytes memory reason) {
            if (bytes4(reason) != Deliberate.selector) revert Unexpected(7);
            sum += reason.length;
        }
        try this.panics(round) {
            revert Unexpected(8);
        } catch Panic(uint256 code) {
            sum += code;
        }
        try this.spins{gas: 10_000}() {
            revert Unexpected(9);
        } catch (bytes memory reason) {
            sum += reason.length;
        }
        // A write in a static call is a failure that costs all the gas given.
        (bool success,) = address(this).staticcall{gas: 10_000}(abi.encodeCall(this.descend, (0)));
        if (success) revert Unexpected(10);
        survivors += 1;
    }

    /// What it does must vanish: a write, a log, a creation and the call of what it created.
    function undone(uint256 round) external {
        survivors += 1_000;
        emit Lost(round);
        revert Deliberate(new Child(round).bump(1));
    }

    function panics(uint256 round) external view returns (uint256) {
        return round / (survivors - survivors);
    }

    function spins() external pure {
        while (true) {}
    }

    // ---------------------------------------------------------------- data

    /// Calldata and return data of some kilobytes, through this contract and two precompiles.
    function _echo(uint256 length) private view returns (uint256) {
        bytes memory data = new bytes(length);
        for (uint256 i = 0; i < length; i += 32) {
            data[i] = bytes1(uint8(i / 32));
        }
        (bool success, bytes memory copy) = address(4).staticcall(data);
        if (!success || keccak256(copy) != keccak256(data)) revert Unexpected(11);
        bytes memory echoed = this.echo(data);
        if (keccak256(echoed) != keccak256(data)) revert Unexpected(12);
        return uint256(sha256(echoed)) % 1_000;
    }

    function echo(bytes calldata data) external pure returns (bytes calldata) {
        return data;
    }
}
