// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// The compiler sees that the hashes are unused and removes every KECCAK256. What is left is the
/// loop and the writing of each preimage to fresh memory: arithmetic, MLOAD, MSTORE and expansion.
/// The name and the 20,000 rounds are those of the well-known benchmark; hash10k really hashes.
contract TenThousandHashes {
    uint256 private constant ROUNDS = 20_000;

    function Benchmark() external pure {
        for (uint256 i = 0; i < ROUNDS; i++) {
            keccak256(abi.encodePacked(i));
        }
    }
}
