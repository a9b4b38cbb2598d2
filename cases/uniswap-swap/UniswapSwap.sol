// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "../lib/ERC20.sol";
import {Pair} from "./Pair.sol";

contract Token is ERC20 {
    constructor(address owner, uint256 supply) {
        _mint(owner, supply);
    }
}

/// A trader who swaps two tokens back and forth.
contract UniswapSwap {
    uint256 private constant SWAPS = 600;
    uint256 private constant LIQUIDITY = 1_000_000 * 1e18;

    Token private token0;
    Token private token1;
    Pair private pair;

    /// The set-up call.
    function deploy() external {
        token0 = new Token(address(this), 2 * LIQUIDITY);
        token1 = new Token(address(this), 5 * LIQUIDITY);
        pair = new Pair(token0, token1);
        token0.transfer(address(pair), LIQUIDITY);
        token1.transfer(address(pair), 4 * LIQUIDITY);
        pair.sync();
    }

    /// The fees stay in the pair: the product of its reserves grows with every swap.
    function Benchmark()
        external
        returns (uint256 reserve0, uint256 reserve1, uint256 balance0, uint256 balance1)
    {
        for (uint256 i = 0; i < SWAPS; i++) {
            _swap(i % 2 == 0, (1 + i % 7) * 1e18);
        }
        (reserve0, reserve1,) = pair.getReserves();
        balance0 = token0.balanceOf(address(this));
        balance1 = token1.balanceOf(address(this));
    }

    function _swap(bool zeroForOne, uint256 amountIn) private {
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        if (zeroForOne) {
            uint256 amountOut = _amountOut(amountIn, reserve0, reserve1);
            token0.transfer(address(pair), amountIn);
            pair.swap(0, amountOut, address(this));
        } else {
            uint256 amountOut = _amountOut(amountIn, reserve1, reserve0);
            token1.transfer(address(pair), amountIn);
            pair.swap(amountOut, 0, address(this));
        }
    }

    /// The most that a pair gives for `amountIn`, of which 0.3 % is its fee.
    function _amountOut(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) private pure returns (uint256) {
        uint256 effective = amountIn * 997;
        return (effective * reserveOut) / (reserveIn * 1_000 + effective);
    }
}
