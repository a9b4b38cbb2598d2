//! Formats figures for people, for all renderers: three significant digits and a unit.

/// A value in a counter's unit: nanoseconds as time, everything else as a count.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "ns" => scaled(value, &["ns", "us", "ms", "s"]),
        _ => scaled(value, &["", "k", "M", "G", "T"]),
    }
}

/// A value in the largest unit that keeps it at 1 or above; each unit is 1,000 times the previous one.
fn scaled(value: f64, units: &[&str]) -> String {
    let (mut value, mut units) = (value, units);
    // 999.5 would round to 1000.
    while value.abs() >= 999.5
        && let [_, larger @ ..] = units
        && !larger.is_empty()
    {
        value /= 1000.0;
        units = larger;
    }
    match units.first() {
        Some(unit) if !unit.is_empty() => format!("{} {unit}", significant(value)),
        _ if value.fract() == 0.0 => format!("{value}"),
        _ => significant(value),
    }
}

/// Three significant digits: `0.00123`, `1.07`, `12.3`, `428`, `1234`.
pub fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let rounded = format!("{:.2e}", value.abs());
    let exponent: i32 = rounded
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let decimals = usize::try_from(2 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// How many times as fast, `1.42x`: at least two decimals below 10.
pub fn times(factor: f64) -> String {
    format!("{}x", factor_digits(factor))
}

/// The number in [`times`].
pub fn factor_digits(factor: f64) -> String {
    match factor {
        f if (0.1..9.995).contains(&f) => format!("{f:.2}"),
        f => significant(f),
    }
}

/// A duration to plan with: `40 s`, `6 min`, `2.5 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 99.5 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A ratio as signed change: 0.418 is `-58.2 %`.
pub fn change(ratio: f64) -> String {
    format!("{} %", change_digits(ratio))
}

/// The number in [`change`]: one decimal, none from 100 % on.
pub fn change_digits(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let digits = if percent.abs() < 99.95 {
        format!("{percent:+.1}")
    } else {
        format!("{percent:+.0}")
    };
    // Zero has no sign.
    if matches!(digits.as_str(), "+0.0" | "-0.0") {
        "0.0".to_owned()
    } else {
        digits
    }
}

/// A share as per cent: 0.05 is `5 %`, 0.025 is `2.5 %`.
pub fn percent(share: f64) -> String {
    // Rounded first, since 0.07 * 100 is not exactly 7.
    format!("{} %", (share * 1e4).round() / 1e2)
}

/// A spread relative to its median: `±0.4 %`; `None` if either is 0.
pub fn spread(mad: f64, median: f64) -> Option<String> {
    (mad > 0.0 && median > 0.0).then(|| {
        let percent = mad / median * 100.0;
        let decimals = usize::from(percent < 9.95);
        format!("±{percent:.decimals$} %")
    })
}

/// Gas per second, from Mgas/s: `6,144 Mgas/s`.
pub fn gas_per_second(mgas_per_second: f64) -> String {
    let figure = if mgas_per_second < 99.95 {
        significant(mgas_per_second)
    } else {
        thousands(mgas_per_second.round() as u64)
    };
    format!("{figure} Mgas/s")
}

/// A whole number with separators: `235,948,591`.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with its noun: `1 pair`, `60 pairs`, `31,200,450 opcodes`.
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", thousands(number))
}

/// Bytes in binary units: `7.7 GiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = value as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// The most decoded bytes per bytecode byte, and of a short code: `4 (short code 16.0 KiB)`.
pub fn budget(ratio: f64, floor: u64) -> String {
    match floor {
        0 => ratio.to_string(),
        floor => format!("{ratio} (short code {})", bytes(floor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        let times = [
            (0.0, "0 ns"),
            (0.1166, "0.117 ns"),
            (12.34, "12.3 ns"),
            (999.4, "999 ns"),
            (999.6, "1.00 us"),
            (27_480_000.0, "27.5 ms"),
            (12_340_000_000.0, "12.3 s"),
            (4.0e12, "4000 s"),
        ];
        for (value, text) in times {
            assert_eq!(quantity(value, "ns"), text);
        }
        let counts = [
            (0.0, "0"),
            (12.0, "12"),
            (1.5, "1.50"),
            (0.004_56, "0.00456"),
            (428_123_456.0, "428 M"),
            (999_600.0, "1.00 M"),
            (20_049.0, "20.0 k"),
        ];
        for (value, text) in counts {
            assert_eq!(quantity(value, "count"), text);
        }
        assert_eq!(quantity(3.2e9, "cycles"), "3.20 G");
    }

    #[test]
    fn changes_and_factors() {
        assert_eq!(change(0.418), "-58.2 %");
        assert_eq!(change(1.0), "0.0 %");
        assert_eq!(change(0.9996), "0.0 %");
        assert_eq!(change(1.071), "+7.1 %");
        assert_eq!(change(4.123), "+312 %");
        assert_eq!(percent(0.07), "7 %");
        assert_eq!(percent(0.025), "2.5 %");
        assert_eq!(times(1.0 / 0.418), "2.39x");
        assert_eq!(times(1.4), "1.40x");
        assert_eq!(times(9.996), "10.0x");
        assert_eq!(times(0.0123), "0.0123x");
    }

    #[test]
    fn spreads_rates_and_sizes() {
        assert_eq!(spread(0.4, 100.0).as_deref(), Some("±0.4 %"));
        assert_eq!(spread(12.0, 100.0).as_deref(), Some("±12 %"));
        assert_eq!(spread(0.0, 100.0), None);
        assert_eq!(spread(1.0, 0.0), None);
        assert_eq!(gas_per_second(8_580.4), "8,580 Mgas/s");
        assert_eq!(gas_per_second(12.34), "12.3 Mgas/s");
        assert_eq!(thousands(235_948_591), "235,948,591");
        assert_eq!(count(1, "pair"), "1 pair");
        assert_eq!(count(1_200, "opcode"), "1,200 opcodes");
        assert_eq!(thousands(999), "999");
        assert_eq!(bytes(8_242_036_736), "7.7 GiB");
        assert_eq!(bytes(512), "512 B");
    }
}
