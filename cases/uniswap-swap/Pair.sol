// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "../lib/ERC20.sol";

/// Two tokens whose product of reserves never falls: an exchange in the manner of Uniswap V2,
/// without shares for those who provide the tokens.
contract Pair {
    event Sync(uint112 reserve0, uint112 reserve1);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );

    error Locked();
    error NoOutput();
    error NotEnoughReserve();
    error InvalidRecipient();
    error TransferFailed();
    error NoInput();
    error ProductFell();
    error ReserveOverflow();

    ERC20 public immutable token0;
    ERC20 public immutable token1;

    // These three share a slot.
    uint112 private reserve0;
    uint112 private reserve1;
    uint32 private updatedAt;

    // Never 0, since a slot that leaves 0 costs four times as much.
    uint256 private lock = 1;

    modifier nonReentrant() {
        if (lock != 1) revert Locked();
        lock = 2;
        _;
        lock = 1;
    }

    constructor(ERC20 first, ERC20 second) {
        token0 = first;
        token1 = second;
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, updatedAt);
    }

    /// Takes the balances as they are: how the first reserves come in.
    function sync() external nonReentrant {
        _update(token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    /// Pays out first; what was paid in beforehand must then be enough.
    function swap(uint256 amount0Out, uint256 amount1Out, address to) external nonReentrant {
        if (amount0Out == 0 && amount1Out == 0) revert NoOutput();
        (uint256 before0, uint256 before1,) = getReserves();
        if (amount0Out >= before0 || amount1Out >= before1) revert NotEnoughReserve();
        if (to == address(token0) || to == address(token1)) revert InvalidRecipient();

        if (amount0Out > 0) _pay(token0, to, amount0Out);
        if (amount1Out > 0) _pay(token1, to, amount1Out);
        uint256 balance0 = token0.balanceOf(address(this));
        uint256 balance1 = token1.balanceOf(address(this));

        uint256 amount0In = _received(balance0, before0 - amount0Out);
        uint256 amount1In = _received(balance1, before1 - amount1Out);
        if (amount0In == 0 && amount1In == 0) revert NoInput();
        uint256 product = (balance0 * 1_000 - amount0In * 3) * (balance1 * 1_000 - amount1In * 3);
        if (product < before0 * before1 * 1_000 ** 2) revert ProductFell();

        _update(balance0, balance1);
        emit Swap(msg.sender, amount0In, amount1In, amount0Out, amount1Out, to);
    }

    function _pay(ERC20 token, address to, uint256 amount) private {
        if (!token.transfer(to, amount)) revert TransferFailed();
    }

    function _received(uint256 balance, uint256 expected) private pure returns (uint256) {
        return balance > expected ? balance - expected : 0;
    }

    function _update(uint256 balance0, uint256 balance1) private {
        if (balance0 > type(uint112).max || balance1 > type(uint112).max) revert ReserveOverflow();
        reserve0 = uint112(balance0);
        reserve1 = uint112(balance1);
        updatedAt = uint32(block.timestamp);
        emit Sync(reserve0, reserve1);
    }
}
