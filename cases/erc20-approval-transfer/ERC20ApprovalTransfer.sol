// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "../lib/ERC20.sol";

/// Mints once, then approves and spends 1, 2, 3, ... units: every round takes an allowance from
/// zero to an amount and back, which earns the refund of EIP-3529.
contract ERC20ApprovalTransfer is ERC20 {
    uint256 private constant ROUNDS = 1_000;
    uint256 private constant SUPPLY = 10_000_000 * 1e18;
    address private constant RECIPIENT = address(1);

    error WrongAllowance();

    /// The recipient ends with 499,500 units, the caller with the rest of the supply.
    function Benchmark() external returns (uint256 sent, uint256 left) {
        _mint(msg.sender, SUPPLY);
        for (uint256 i = 1; i < ROUNDS; i++) {
            approve(msg.sender, i);
            if (allowance(msg.sender, msg.sender) != i) revert WrongAllowance();
            transferFrom(msg.sender, RECIPIENT, i);
            if (allowance(msg.sender, msg.sender) != 0) revert WrongAllowance();
        }
        return (balanceOf(RECIPIENT), balanceOf(msg.sender));
    }
}
