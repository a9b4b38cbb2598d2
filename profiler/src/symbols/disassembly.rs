//! Machine code as instructions, x86-64 only. The code comes from `modules`.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, IntelFormatter, OpKind};

/// Whether the code of this program can be disassembled.
pub const AVAILABLE: bool = cfg!(target_arch = "x86_64");

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub address: u64,
    pub length: usize,
    /// In Intel's syntax.
    pub text: String,
    /// Where a direct jump or call goes.
    pub target: Option<u64>,
}

/// The instructions of a function at an address.
pub fn instructions(code: &[u8], address: u64) -> Vec<Instruction> {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    let decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    decoder
        .into_iter()
        .map(|instruction| {
            let mut text = String::new();
            formatter.format(&instruction, &mut text);
            let branches = matches!(
                instruction.flow_control(),
                FlowControl::Call
                    | FlowControl::UnconditionalBranch
                    | FlowControl::ConditionalBranch
            );
            let direct = branches && instruction.op0_kind() == OpKind::NearBranch64;
            Instruction {
                address: instruction.ip(),
                length: instruction.len(),
                text,
                target: direct.then(|| instruction.near_branch_target()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_have_their_addresses_and_targets() {
        // add rax, rcx; je +2; mov eax, [rdi+8]; call -16; jmp [rax]; ret
        let code = [
            0x48, 0x01, 0xc8, 0x74, 0x02, 0x8b, 0x47, 0x08, 0xe8, 0xf0, 0xff, 0xff, 0xff, 0xff,
            0x20, 0xc3,
        ];
        let listed: Vec<_> = instructions(&code, 0x1000)
            .into_iter()
            .map(|it| {
                format!(
                    "{:x} {} {} {:x?}",
                    it.address, it.length, it.text, it.target
                )
            })
            .collect();
        insta::assert_snapshot!(listed.join("\n"), @r"
    1000 3 add rax, rcx None
    1003 2 je short 0x1007 Some(1007)
    1005 3 mov eax, [rdi+8] None
    1008 5 call 0xffd Some(ffd)
    100d 2 jmp qword ptr [rax] None
    100f 1 ret None
    ");
    }

    #[test]
    fn bytes_that_are_not_code_do_not_end_the_listing() {
        let listed = instructions(&[0x06, 0x90], 0);
        assert_eq!(listed[0].text, "(bad)");
        assert_eq!(listed.iter().map(|it| it.length).sum::<usize>(), 2);
    }
}
