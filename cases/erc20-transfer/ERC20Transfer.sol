// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "../lib/ERC20.sol";

/// Mints once, then transfers 0, 1, 2, ... units to one recipient.
contract ERC20Transfer is ERC20 {
    uint256 private constant ROUNDS = 5_000;
    uint256 private constant SUPPLY = 10_000_000 * 1e18;
    address private constant RECIPIENT = address(1);

    /// The recipient ends with 12,497,500 units, the caller with the rest of the supply.
    function Benchmark() external returns (uint256 sent, uint256 left) {
        _mint(msg.sender, SUPPLY);
        for (uint256 i = 0; i < ROUNDS; i++) {
            transfer(RECIPIENT, i);
        }
        return (balanceOf(RECIPIENT), balanceOf(msg.sender));
    }
}
