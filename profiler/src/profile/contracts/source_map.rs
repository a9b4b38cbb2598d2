//! Reads compilers' output: the `source-map.json` of a case, the compiler's standard JSON output, and the build-info
//! files of Foundry and Hardhat, which contain that output and the sources, or are completed by `build_info`.
//!
//! Parses the formats and looks up source lines; the parent module matches code with contracts.

use super::build_info;
use super::{Contract, EntryPoint, Function, Jump, SourceEntry, SourceMapError, offsets};
use crate::cases::parse_hex;
use crate::symbols::debug_files;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// Characters of a source line that a stack shows.
const LINE_WIDTH: usize = 56;

/// All contracts of a file.
pub fn read(path: &Path) -> Result<Vec<Contract>, SourceMapError> {
    let text = fs::read_to_string(path).map_err(|error| SourceMapError::Read {
        path: path.to_path_buf(),
        error,
    })?;
    parse(&text, path).map_err(|reason| SourceMapError::Format {
        path: path.to_path_buf(),
        reason,
    })
}

fn parse(text: &str, path: &Path) -> Result<Vec<Contract>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !value.is_object() {
        return Err("it is not a JSON object".to_owned());
    }
    let value = build_info::complete(value, path)?;
    let root = value
        .as_object()
        .ok_or_else(|| "it is not a JSON object".to_owned())?;
    if root.contains_key("functions") {
        return from_case_file(root, path);
    }
    let output = root.get("output").unwrap_or(&value);
    if output.get("contracts").is_some() {
        return from_compiler_output(root, output, path);
    }
    Err("it contains neither `contracts` nor `functions`".to_owned())
}

/// A function or modifier in the source.
struct Definition {
    /// The compiler's number of it.
    id: Option<i64>,
    span: Span,
    name: String,
    is_modifier: bool,
}

/// `start:length:source`, in bytes of the text; a negative source means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: i64,
    length: i64,
    source: i64,
}

impl Span {
    fn parse(text: &str) -> Option<Span> {
        let mut numbers = text.split(':').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Span {
            start: next()?,
            length: next()?,
            source: next()?,
        })
    }

    fn contains(&self, other: &Span) -> bool {
        let end = |span: &Span| span.start.saturating_add(span.length);
        self.source == other.source && self.start <= other.start && end(other) <= end(self)
    }
}

/// A source file, with its text if it was found.
struct Source {
    /// Without its folders.
    name: String,
    text: Option<String>,
}

impl Source {
    fn new(path: &str, text: Option<String>) -> Source {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        Source { name, text }
    }

    /// Looks beside the source map, in the folders above, and in the working directory.
    fn find(path: &str, map: &Path) -> Source {
        let mut folders = map.ancestors().skip(1).take(4).chain([Path::new(".")]);
        let text = folders.find_map(|folder| {
            let bytes = debug_files::read(&folder.join(path)).ok()?;
            String::from_utf8(bytes).ok()
        });
        Source::new(path, text)
    }

    /// The line at an offset in bytes, counted from 1.
    fn line(&self, offset: i64) -> Option<usize> {
        let before = self.text.as_ref()?.get(..usize::try_from(offset).ok()?)?;
        Some(before.matches('\n').count() + 1)
    }

    /// `ERC20.sol:66 uint256 balance = ...`, as stacks show it; without `;`, which separates frames there.
    fn labelled(&self, line: usize) -> Option<String> {
        let text = self.text.as_ref()?.lines().nth(line - 1)?;
        let text = text.trim().trim_end_matches(';').replace(';', ",");
        let short: String = text.chars().take(LINE_WIDTH).collect();
        let cut = if short.len() < text.len() { "…" } else { "" };
        Some(format!("{}:{line} {short}{cut}", self.name))
    }
}

/// Sources by the numbers that source maps use. A build tool may list only some of them.
type Sources = HashMap<i64, Source>;

/// A compiler's output on one contract, in the terms of `source-map.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContractMetadata {
    code: String,
    #[serde(default)]
    immutables: Vec<(usize, usize)>,
    source_map: String,
    #[serde(default)]
    entry_points: Vec<EntryRow>,
    #[serde(default)]
    method_identifiers: BTreeMap<String, String>,
    /// Functions that the compiler generated for this contract.
    #[serde(default)]
    generated: Vec<FunctionRow>,
}

/// An entry point: offset, name, number of the function, parameters.
type EntryRow = (usize, String, Option<i64>, Option<usize>);

/// A function: number, span, name, kind.
type FunctionRow = (Option<i64>, String, String, String);

fn definition((id, span, name, kind): FunctionRow) -> Option<Definition> {
    Some(Definition {
        id,
        span: Span::parse(&span)?,
        name,
        is_modifier: kind == "modifier",
    })
}

fn from_case_file(root: &Map<String, Value>, path: &Path) -> Result<Vec<Contract>, String> {
    let value = |name: &str| root.get(name).cloned().unwrap_or_default();
    let sources: Vec<String> = field("sources", value("sources"))?;
    let found = sources.iter().map(|source| Source::find(source, path));
    let sources: Sources = (0..).zip(found).collect();
    let rows: Vec<FunctionRow> = field("functions", value("functions"))?;
    root.iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("contract ")?, value)))
        .map(|(name, value)| {
            let metadata: ContractMetadata = field(name, value.clone())?;
            let rows = rows.iter().chain(&metadata.generated).cloned();
            let definitions = rows.filter_map(definition).collect();
            contract(name, &metadata, definitions, &sources)
        })
        .collect()
}

/// Reads a field; an error names it.
fn field<T: serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{name}: {error}"))
}

/// Reads standard JSON output (solc, "Using the Compiler", output description). `root` may hold its input too.
fn from_compiler_output(
    root: &Map<String, Value>,
    output: &Value,
    path: &Path,
) -> Result<Vec<Contract>, String> {
    let empty = Map::new();
    let listed = output["sources"].as_object().unwrap_or(&empty);
    let mut rows = Vec::new();
    for source in listed.values() {
        collect_functions(&source["ast"], "", &mut rows);
    }
    let content = |name: &str| root.get("input")?["sources"][name]["content"].as_str();
    let source = |name: &str| match content(name) {
        Some(text) => Source::new(name, Some(text.to_owned())),
        None => Source::find(name, path),
    };
    let numbered = listed
        .iter()
        .filter_map(|(name, it)| Some((it["id"].as_i64()?, source(name))));
    let sources: Sources = numbered.collect();
    let files = output["contracts"].as_object().into_iter();
    let named = files.flat_map(|files| files.values().filter_map(Value::as_object).flatten());
    let contracts = named
        .filter_map(|(name, value)| Some((name, deployed_metadata(value)?)))
        .map(|(name, metadata)| {
            let rows = metadata.generated.iter().chain(&rows).cloned();
            let definitions = rows.filter_map(definition).collect();
            contract(name, &metadata, definitions, &sources)
        })
        .collect::<Result<Vec<_>, _>>()?;
    match contracts.is_empty() {
        true => Err(
            "no contract in it has `evm.deployedBytecode` with `object` and `sourceMap`: ask the compiler for both"
                .to_owned(),
        ),
        false => Ok(contracts),
    }
}

/// A contract's metadata; none without deployed code or source map.
fn deployed_metadata(contract: &Value) -> Option<ContractMetadata> {
    let deployed = &contract["evm"]["deployedBytecode"];
    let code = deployed["object"].as_str()?;
    let source_map = deployed["sourceMap"].as_str()?;
    // Interfaces have no code, and placeholders of libraries are not hex.
    if code.is_empty() || code.contains('_') {
        return None;
    }
    let mut generated = Vec::new();
    collect_functions(&deployed["generatedSources"], "", &mut generated);
    let identifiers = contract["evm"]["methodIdentifiers"].clone();
    Some(ContractMetadata {
        code: code.to_owned(),
        immutables: immutables(&deployed["immutableReferences"]),
        source_map: source_map.to_owned(),
        entry_points: entry_rows(&deployed["functionDebugData"]),
        method_identifiers: serde_json::from_value(identifiers).unwrap_or_default(),
        generated,
    })
}

fn immutables(references: &Value) -> Vec<(usize, usize)> {
    let by_variable = references.as_object().into_iter().flat_map(Map::values);
    let number = |value: &Value| value.as_u64().map(|n| n as usize);
    by_variable
        .flat_map(|references| references.as_array().into_iter().flatten())
        .filter_map(|it| Some((number(&it["start"])?, number(&it["length"])?)))
        .collect()
}

fn entry_rows(data: &Value) -> Vec<EntryRow> {
    let functions = data.as_object().into_iter().flatten();
    functions
        .filter_map(|(name, it)| {
            let plain = name.strip_prefix('@').and_then(|it| it.rsplit_once('_'));
            let name = plain.map_or(name.as_str(), |(name, _)| name);
            let parameters = it["parameterSlots"].as_u64().map(|n| n as usize);
            let entry = it["entryPoint"].as_u64()? as usize;
            Some((entry, name.to_owned(), it["id"].as_i64(), parameters))
        })
        .collect()
}

/// Functions and modifiers below a node of a syntax tree.
fn collect_functions(node: &Value, scope: &str, rows: &mut Vec<FunctionRow>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let mut inner = scope.to_owned();
    match node {
        Value::Array(nodes) => {
            return nodes
                .iter()
                .for_each(|it| collect_functions(it, scope, rows));
        }
        Value::Object(_) => {}
        _ => return,
    }
    let mut add = |scope: &str, name: &str, kind: &str| {
        let name = format!("{scope}{name}");
        rows.push((
            node["id"].as_i64(),
            text("src").to_owned(),
            name,
            kind.to_owned(),
        ));
    };
    match text("nodeType") {
        "ContractDefinition" => inner = format!("{}.", text("name")),
        "FunctionDefinition" if text("name").is_empty() => add(scope, text("kind"), "function"),
        "FunctionDefinition" => add(scope, text("name"), "function"),
        "ModifierDefinition" => add(scope, text("name"), "modifier"),
        "YulFunctionDefinition" => add("", text("name"), "function"),
        _ => {}
    }
    for below in node.as_object().into_iter().flat_map(Map::values) {
        collect_functions(below, &inner, rows);
    }
}

fn contract(
    name: &str,
    metadata: &ContractMetadata,
    definitions: Vec<Definition>,
    sources: &Sources,
) -> Result<Contract, String> {
    let code = parse_hex(&metadata.code, name).map_err(|error| error.to_string())?;
    let functions = definitions.iter().map(|it| Function {
        label: label(it, source_of(&it.span, sources)),
    });
    let (source_entries, lines) =
        source_entries(&code, &metadata.source_map, &definitions, sources);
    let rows = metadata.entry_points.iter();
    let entry_points = rows.map(|row| (row.0, entry_point(row, &definitions)));
    let selectors = metadata
        .method_identifiers
        .iter()
        .filter_map(|(name, hex)| {
            let selector = u32::from_str_radix(hex, 16).ok()?;
            Some((selector.to_be_bytes(), name.clone()))
        });
    Ok(Contract {
        name: name.to_owned(),
        immutables: metadata.immutables.clone(),
        source_entries,
        entry_points: entry_points.collect(),
        selectors: selectors.collect(),
        functions: functions.collect(),
        lines,
        code: code.into(),
    })
}

fn source_of<'a>(span: &Span, sources: &'a Sources) -> Option<&'a Source> {
    sources.get(&span.source)
}

/// The entry of each opcode by its offset, and the source lines that they refer to by index.
fn source_entries(
    code: &[u8],
    map: &str,
    definitions: &[Definition],
    sources: &Sources,
) -> (HashMap<usize, SourceEntry>, Vec<String>) {
    let mut lines = Vec::<String>::new();
    let mut numbered = HashMap::new();
    let mut line = |span: &Span| {
        let source = source_of(span, sources)?;
        let line = source.line(span.start)?;
        Some(*numbered.entry((span.source, line)).or_insert_with(|| {
            lines.push(source.labelled(line).unwrap_or_default());
            lines.len() - 1
        }))
    };
    // Hundreds of opcodes share a span.
    let mut found = HashMap::new();
    let mut entries = HashMap::new();
    for (pc, (span, jump)) in offsets(code).zip(spans(map)) {
        let (function, line) = *found
            .entry((span.start, span.length, span.source))
            .or_insert_with(|| (innermost(definitions, &span), line(&span)));
        let entry = SourceEntry {
            jump,
            function,
            line,
        };
        entries.insert(pc, entry);
    }
    (entries, lines)
}

fn entry_point(row: &EntryRow, definitions: &[Definition]) -> EntryPoint {
    let (_, name, id, parameters) = row;
    let same = |it: &Definition| match id {
        Some(_) => it.id == *id,
        None => it.id.is_none() && it.name == *name,
    };
    EntryPoint {
        name: name.clone(),
        function: definitions.iter().position(same),
        parameters: *parameters,
    }
}

/// `ERC20._transfer (ERC20.sol:62)`; the compiler's own functions have no line.
fn label(definition: &Definition, source: Option<&Source>) -> String {
    let Definition { name, span, .. } = definition;
    let kind = if definition.is_modifier {
        "modifier "
    } else {
        ""
    };
    let line = source.and_then(|source| Some((&source.name, source.line(span.start)?)));
    match line {
        Some((file, line)) => format!("{kind}{name} ({file}:{line})"),
        None => format!("{kind}{name}"),
    }
}

/// The innermost definition around a span, an index.
fn innermost(definitions: &[Definition], span: &Span) -> Option<usize> {
    let around = definitions.iter().enumerate();
    let around = around.filter(|(_, definition)| definition.span.contains(span));
    around
        .min_by_key(|(_, definition)| definition.span.length)
        .map(|(index, _)| index)
}

/// The compressed map, one entry per opcode: `start:length:source:jump:depth`; an empty field repeats the one of the
/// entry before (solc, "Source Mappings").
fn spans(map: &str) -> impl Iterator<Item = (Span, Jump)> {
    let mut span = Span {
        start: 0,
        length: 0,
        source: -1,
    };
    let mut jump = Jump::Within;
    map.split(';').map(move |entry| {
        let mut fields = entry.split(':');
        for number in [&mut span.start, &mut span.length, &mut span.source] {
            if let Some(Ok(new)) = fields.next().map(str::parse) {
                *number = new;
            }
        }
        jump = match fields.next() {
            Some("i") => Jump::Into,
            Some("o") => Jump::Out,
            Some("-") => Jump::Within,
            _ => jump,
        };
        (span, jump)
    })
}
