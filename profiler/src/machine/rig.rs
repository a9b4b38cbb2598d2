//! Facts about the machine and the build of a measurement, from the kernel and from `build.rs`.

use evmscope_reports::run::Rig;
use object::Object;
use std::fs;
use std::path::Path;

/// Collects the facts. One that cannot be read is absent or `unknown`, never a guess.
pub fn examine() -> Rig {
    let cpu = Cpu::read();
    Rig {
        cpu: cpu.model,
        cpus: usable_cpus(),
        cores: None,
        arch: std::env::consts::ARCH.to_owned(),
        kernel: kernel(),
        governor: governor(),
        virtualized: cpu.virtualized,
        memory: read("/proc/meminfo").map_or(0, |text| total_memory(&text)),
        rustc: build_fact(option_env!("EVMSCOPE_BUILD_RUSTC")),
        build: build(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("EVMSCOPE_BUILD_COMMIT").map(str::to_owned),
        binary: own_identity(),
    }
}

/// CPU facts from the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Model name. On Arm, where the kernel has none, implementer and part.
    pub model: String,
    /// Instruction set extensions, as spelled by the kernel.
    pub features: Vec<String>,
    /// Whether the machine is virtual.
    pub virtualized: bool,
}

impl Cpu {
    /// Reads `/proc/cpuinfo`. Also checks the files that show a hypervisor on architectures without a CPU flag for it.
    pub fn read() -> Self {
        let mut cpu = Self::parse(&read("/proc/cpuinfo").unwrap_or_default());
        cpu.virtualized |= ["/sys/hypervisor/type", "/proc/device-tree/hypervisor"]
            .iter()
            .any(|path| Path::new(path).exists());
        cpu
    }

    fn parse(cpuinfo: &str) -> Self {
        let field = |name: &str| field(cpuinfo, name);
        let features: Vec<_> = field("flags")
            .or_else(|| field("Features"))
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let part = || {
            let (maker, part) = (field("CPU implementer")?, field("CPU part")?);
            Some(format!("implementer {maker} part {part}"))
        };
        Self {
            model: field("model name")
                .map(str::to_owned)
                .or_else(part)
                .unwrap_or_else(unknown),
            virtualized: features.iter().any(|feature| feature == "hypervisor"),
            features,
        }
    }
}

/// Logical CPUs this process may use, by its affinity mask and its cgroup's quota.
pub fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Frequency governor of the first CPU; `None` if the kernel does not control the frequency.
pub fn governor() -> Option<String> {
    read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
}

/// Major LLVM version of this build's compiler, which its profile data must match.
pub fn llvm_major() -> Option<&'static str> {
    option_env!("EVMSCOPE_BUILD_LLVM")
}

fn kernel() -> String {
    let part = |name| read(&format!("/proc/sys/kernel/{name}")).unwrap_or_else(unknown);
    format!("{} {}", part("ostype"), part("osrelease"))
}

/// Parses `MemTotal:       16316412 kB`; bytes, 0 if missing.
fn total_memory(meminfo: &str) -> u64 {
    field(meminfo, "MemTotal")
        .and_then(|value| value.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn build() -> String {
    let flags = match option_env!("EVMSCOPE_BUILD_FLAGS") {
        None | Some("") => "none",
        Some(flags) => flags,
    };
    format!(
        "{}; flags: {flags}; target features: {}",
        build_fact(option_env!("EVMSCOPE_BUILD_PROFILE")),
        build_fact(option_env!("EVMSCOPE_BUILD_FEATURES")),
    )
}

/// The linker's build id as hex, or the Keccak-256 of the binary if it has none.
fn own_identity() -> String {
    match fs::read("/proc/self/exe") {
        Ok(bytes) => identity(&bytes),
        Err(_) => unknown(),
    }
}

fn identity(bytes: &[u8]) -> String {
    let build_id = object::File::parse(bytes)
        .ok()
        .and_then(|file| file.build_id().ok().flatten().map(<[u8]>::to_vec));
    match build_id {
        Some(id) => alloy_primitives::hex::encode(id),
        None => alloy_primitives::hex::encode(alloy_primitives::keccak256(bytes)),
    }
}

/// The value of the first `name : value` line, as in `/proc/cpuinfo`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn build_fact(fact: Option<&str>) -> String {
    fact.map_or_else(unknown, str::to_owned)
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_cpu_of_both_architectures() {
        let x86 = Cpu::parse(
            "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 hypervisor\n\n\
             processor\t: 1\nmodel name\t: other\n",
        );
        assert_eq!(x86.model, "AMD EPYC");
        assert_eq!(x86.features, ["fpu", "avx2", "hypervisor"]);
        assert!(x86.virtualized);

        let arm = Cpu::parse(
            "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
        );
        assert_eq!(arm.model, "implementer 0x41 part 0xd0c");
        assert_eq!(arm.features, ["fp", "asimd"]);
        assert!(!arm.virtualized);

        assert_eq!(Cpu::parse("").model, "unknown");
    }

    #[test]
    fn total_memory_is_converted_to_bytes() {
        assert_eq!(
            total_memory("MemTotal:       2048 kB\nMemFree: 1 kB"),
            2 << 20
        );
    }

    #[test]
    fn a_binary_without_a_build_id_is_identified_by_its_hash() {
        assert_eq!(
            identity(b""),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
    }

    #[test]
    fn every_fact_of_this_machine_and_build_is_known() {
        let rig = examine();
        assert!(rig.cpus >= 1);
        assert!(rig.memory > 1 << 20);
        assert!(rig.kernel.starts_with("Linux "), "{}", rig.kernel);
        assert!(rig.rustc.starts_with("rustc "), "{}", rig.rustc);
        assert!(rig.binary.len() >= 16, "{}", rig.binary);
        assert!(!rig.build.contains("unknown"), "{}", rig.build);
        assert!(llvm_major().unwrap().parse::<u32>().unwrap() > 10);
        assert_eq!(
            examine(),
            rig,
            "the facts do not change while the process runs"
        );
    }
}
