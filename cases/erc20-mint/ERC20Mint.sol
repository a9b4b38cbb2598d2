// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "../lib/ERC20.sol";

/// Mints 0, 1, 2, ... tokens to the caller, one unit more each time.
contract ERC20Mint is ERC20 {
    uint256 private constant ROUNDS = 5_000;

    /// Both results are the sum of the amounts: 12,497,500.
    function Benchmark() external returns (uint256 supply, uint256 balance) {
        for (uint256 i = 0; i < ROUNDS; i++) {
            _mint(msg.sender, i);
        }
        return (totalSupply(), balanceOf(msg.sender));
    }
}
