//! Shortens paths of Rust functions to the parts that distinguish them. `names` decides which names are shortened.

/// Shortens a path to its last segments, and each type in it to its name.
pub fn short_path(path: &str) -> String {
    const KEPT: usize = 3;
    let mut segments = split_outside_brackets(path);
    // `f::<T>` is one segment.
    for i in (1..segments.len()).rev() {
        if segments[i].starts_with('<') && !segments[i].starts_with("<impl") {
            let arguments = segments.remove(i);
            segments[i - 1].push_str(&arguments);
        }
    }
    let closures = segments
        .iter()
        .rev()
        .take_while(|s| s.starts_with('{'))
        .count();
    if segments.len() - closures > 2 && !segments[0].starts_with('<') {
        segments.remove(0);
    }
    let kept = segments.len().saturating_sub(KEPT + closures);
    let segments: Vec<_> = segments[kept..].iter().map(|s| short_segment(s)).collect();
    segments.join("::")
}

/// `<a::T as b::Trait>` to `T`, `<a::T>` to `T`, `f<a::T>` to `f<T>`.
fn short_segment(segment: &str) -> String {
    let is_self_type = segment.starts_with('<') && segment.ends_with('>');
    if !is_self_type || segment.starts_with("<impl") {
        return short_types(segment);
    }
    let inner = &segment[1..segment.len() - 1];
    let as_trait =
        nested(inner).find(|&(i, _, depth)| depth == 0 && inner[i..].starts_with(" as "));
    short_types(as_trait.map_or(inner, |(i, ..)| &inner[..i]))
}

/// Every path in the text replaced by its last segment.
fn short_types(text: &str) -> String {
    let mut short = String::new();
    let mut word = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("::") {
            // After a bracket (`<T as Trait>::Item`, `f::<T>`) no word has to be dropped.
            let turbofish = after.starts_with('<');
            if !turbofish && short.len() > word {
                short.truncate(word);
            } else if !turbofish {
                short.push_str("::");
            }
            rest = after;
            continue;
        }
        short.push(c);
        rest = &rest[c.len_utf8()..];
        if !(c.is_alphanumeric() || c == '_' || c == '$') {
            word = short.len();
        }
    }
    short
}

/// Everything between outermost angle brackets replaced by `…`.
pub fn without_arguments(name: &str) -> String {
    let mut short = String::new();
    let mut outermost = ' ';
    let mut last_depth = 0;
    for (_, c, depth) in nested(name) {
        if depth == 1 && last_depth == 0 {
            outermost = c;
            short.push_str(if c == '<' { "<…>" } else { "" });
        }
        if depth == 0 || outermost != '<' {
            short.push(c);
        }
        last_depth = depth;
    }
    short
}

/// Splits at each `::` that no bracket encloses.
pub fn split_outside_brackets(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut start = 0;
    for (i, _, depth) in nested(path) {
        if depth == 0 && i >= start && path[i..].starts_with("::") {
            segments.push(path[start..i].to_owned());
            start = i + 2;
        }
    }
    segments.push(path[start..].to_owned());
    segments
}

/// Each character with its offset and the number of brackets around it; a bracket counts itself.
fn nested(text: &str) -> impl Iterator<Item = (usize, char, u32)> {
    let mut depth = 0u32;
    let mut last = ' ';
    text.char_indices().map(move |(i, c)| {
        // The `>` of an arrow is not a bracket.
        let arrow = last == '-' && c == '>';
        last = c;
        depth += u32::from("<([{".contains(c));
        let here = depth;
        if !arrow && ">)]}".contains(c) {
            depth = depth.saturating_sub(1);
        }
        (i, c, here)
    })
}
