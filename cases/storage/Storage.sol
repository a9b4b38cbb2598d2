// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// Persistent and transient storage: cold and warm reads, and every change of a slot that
/// EIP-2200 tells apart, with the prices of EIP-2929 and the refunds of EIP-3529.
contract Storage {
    uint256 private constant READS = 1_024;
    uint256 private constant READ_ROUNDS = 16; // the first one is cold
    uint256 private constant CELLS = 2_048;
    uint256 private constant INCREMENTS = 10_000;
    uint256 private constant TRANSIENT_KEYS = 256;
    uint256 private constant TRANSIENT_ROUNDS = 32;

    uint256[READS] private table;
    uint256[CELLS] private cells;
    uint256 private counter;

    /// The set-up call: what is here before the message is the original value of its slots.
    function fill() external {
        for (uint256 i = 0; i < READS; i++) {
            table[i] = uint256(keccak256(abi.encode(i)));
        }
        // Runs of 64 cells that start at 0 and runs that start at 1 alternate.
        for (uint256 i = 0; i < CELLS; i++) {
            cells[i] = (i / 64) % 2;
        }
    }

    function Benchmark() external returns (uint256 read, uint256 written, uint256 counted, uint256 passed) {
        return (_read(), _write(), _count(), _pass());
    }

    /// Reads in an order without a pattern that a prefetcher would like.
    function _read() private view returns (uint256 sum) {
        unchecked {
            for (uint256 round = 0; round < READ_ROUNDS; round++) {
                for (uint256 i = 0; i < READS; i++) {
                    sum = sum * 3 + table[(i * 389 + round) % READS];
                }
            }
        }
    }

    /// Writes three values of 0 to 3 to each cell, a different triple to each cell of a run: with the
    /// original values 0 and 1 these are all changes between zero, the original and other values.
    /// In every other pair of runs the cells are read first, so that the first write is warm.
    function _write() private returns (uint256 sum) {
        unchecked {
            for (uint256 i = 0; i < CELLS; i++) {
                if ((i / 128) % 2 == 1) sum += cells[i];
                cells[i] = (i >> 4) % 4;
                cells[i] = (i >> 2) % 4;
                cells[i] = i % 4;
            }
            for (uint256 i = 0; i < CELLS; i++) {
                sum = sum * 3 + cells[i];
            }
        }
    }

    /// One slot that changes all the time.
    function _count() private returns (uint256) {
        for (uint256 i = 0; i < INCREMENTS; i++) {
            counter += i;
        }
        return counter;
    }

    /// EIP-1153: each round adds to what the round before has left under the key.
    function _pass() private returns (uint256 sum) {
        unchecked {
            for (uint256 round = 0; round < TRANSIENT_ROUNDS; round++) {
                for (uint256 key = 0; key < TRANSIENT_KEYS; key++) {
                    uint256 value;
                    assembly ("memory-safe") {
                        value := add(mul(tload(key), 3), add(key, round))
                        tstore(key, value)
                    }
                    sum += value;
                }
            }
        }
    }
}
