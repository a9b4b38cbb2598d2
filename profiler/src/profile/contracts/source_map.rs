//! Reading what compilers tell of code: the `source-map.json` of a case, the compiler's standard JSON
//! output, and the build-info files of Foundry and Hardhat, which hold that output and the sources.

use super::{Contract, EntryPoint, Function, Jump, Place, SourceMapError, offsets};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// Characters of a source line that a stack shows.
const LINE: usize = 56;

/// All contracts that a file tells of.
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
    let root = value
        .as_object()
        .ok_or_else(|| "it is no JSON object".to_owned())?;
    if root.contains_key("functions") {
        return of_case(root, path);
    }
    let output = root.get("output").unwrap_or(&value);
    if output.get("contracts").is_some() {
        return of_compiler(root, output, path);
    }
    Err("it holds neither `contracts` nor `functions`".to_owned())
}

/// A function of the source: the compiler's number of it, where its text is, and what it is called.
struct Definition {
    id: Option<i64>,
    span: Span,
    name: String,
    is_modifier: bool,
}

/// `start:length:source`, in bytes of the text; a source that is below 0 is none.
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

    fn holds(&self, other: &Span) -> bool {
        self.source == other.source
            && self.start <= other.start
            && other.start + other.length <= self.start + self.length
    }
}

/// A source as far as it could be found.
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

    /// Beside the source map, in the folders above, or in the folder this is run in.
    fn find(path: &str, map: &Path) -> Source {
        let mut places = map.ancestors().skip(1).take(4).chain([Path::new(".")]);
        let text = places.find_map(|place| fs::read_to_string(place.join(path)).ok());
        Source::new(path, text)
    }

    /// Counted from 1.
    fn line(&self, offset: i64) -> Option<usize> {
        let before = self.text.as_ref()?.get(..usize::try_from(offset).ok()?)?;
        Some(before.matches('\n').count() + 1)
    }

    /// `ERC20.sol:66 uint256 balance = ...`, as it stands in a stack, where `;` parts frames.
    fn labelled(&self, line: usize) -> Option<String> {
        let text = self.text.as_ref()?.lines().nth(line - 1)?;
        let text = text.trim().trim_end_matches(';').replace(';', ",");
        let short: String = text.chars().take(LINE).collect();
        let cut = if short.len() < text.len() { "…" } else { "" };
        Some(format!("{}:{line} {short}{cut}", self.name))
    }
}

/// What is told of one contract, whatever the format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    code: String,
    #[serde(default)]
    immutables: Vec<(usize, usize)>,
    source_map: String,
    /// Offset, name, number of the function, parameters.
    #[serde(default)]
    entry_points: Vec<(usize, String, Option<i64>, Option<usize>)>,
    #[serde(default)]
    method_identifiers: BTreeMap<String, String>,
    #[serde(default)]
    generated: Vec<Row>,
}

/// A function as the file of a case has it: number, span, name, kind.
type Row = (Option<i64>, String, String, String);

fn definition((id, span, name, kind): Row) -> Option<Definition> {
    Some(Definition {
        id,
        span: Span::parse(&span)?,
        name,
        is_modifier: kind == "modifier",
    })
}

fn of_case(root: &Map<String, Value>, path: &Path) -> Result<Vec<Contract>, String> {
    let field = |name: &str| root.get(name).cloned().unwrap_or_default();
    let sources: Vec<String> = within("sources", field("sources"))?;
    let sources: Vec<_> = sources
        .iter()
        .map(|source| Source::find(source, path))
        .collect();
    let rows: Vec<Row> = within("functions", field("functions"))?;
    root.iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("contract ")?, value)))
        .map(|(name, value)| {
            let told: Told = within(name, value.clone())?;
            let rows = rows.iter().chain(&told.generated).cloned();
            let definitions = rows.filter_map(definition).collect();
            contract(name, &told, definitions, &sources)
        })
        .collect()
}

fn within<T: serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{name}: {error}"))
}

/// The compiler's output, in the terms of solc's documentation of its JSON interface.
fn of_compiler(
    root: &Map<String, Value>,
    output: &Value,
    path: &Path,
) -> Result<Vec<Contract>, String> {
    let empty = Map::new();
    let listed = output["sources"].as_object().unwrap_or(&empty);
    let mut sources: Vec<_> = listed.iter().collect();
    sources.sort_by_key(|(_, source)| source["id"].as_u64());
    let mut definitions = Vec::new();
    for (_, source) in &sources {
        collect(&source["ast"], "", &mut definitions);
    }
    let sources: Vec<_> = sources
        .iter()
        .map(|(name, _)| {
            let content = root
                .get("input")
                .map(|it| &it["sources"][name.as_str()]["content"]);
            match content.and_then(Value::as_str) {
                Some(text) => Source::new(name, Some(text.to_owned())),
                None => Source::find(name, path),
            }
        })
        .collect();
    let mut contracts = Vec::new();
    for (name, it) in output["contracts"]
        .as_object()
        .into_iter()
        .flat_map(|files| files.values().filter_map(Value::as_object).flatten())
    {
        let deployed = &it["evm"]["deployedBytecode"];
        let code = deployed["object"].as_str().unwrap_or_default();
        let Some(source_map) = deployed["sourceMap"].as_str() else {
            continue;
        };
        // Placeholders of libraries are no code; interfaces have none.
        if code.is_empty() || code.contains('_') {
            continue;
        }
        let mut own = Vec::new();
        collect(&deployed["generatedSources"], "", &mut own);
        let told = Told {
            code: code.to_owned(),
            immutables: immutables(&deployed["immutableReferences"]),
            source_map: source_map.to_owned(),
            entry_points: entry_points(&deployed["functionDebugData"]),
            method_identifiers: within("methodIdentifiers", it["evm"]["methodIdentifiers"].clone())
                .unwrap_or_default(),
            generated: Vec::new(),
        };
        let all = own.into_iter().chain(definitions.iter().cloned());
        let all = all.filter_map(definition).collect();
        contracts.push(contract(name, &told, all, &sources)?);
    }
    match contracts.is_empty() {
        true => Err(
            "no contract in it has `evm.deployedBytecode` with `object` and `sourceMap`: ask the compiler for both"
                .to_owned(),
        ),
        false => Ok(contracts),
    }
}

fn immutables(references: &Value) -> Vec<(usize, usize)> {
    let places = references.as_object().into_iter().flat_map(Map::values);
    let number = |value: &Value| value.as_u64().map(|n| n as usize);
    places
        .flat_map(|places| places.as_array().into_iter().flatten())
        .filter_map(|it| Some((number(&it["start"])?, number(&it["length"])?)))
        .collect()
}

fn entry_points(data: &Value) -> Vec<(usize, String, Option<i64>, Option<usize>)> {
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
fn collect(node: &Value, scope: &str, rows: &mut Vec<Row>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let mut inner = scope.to_owned();
    match node {
        Value::Array(nodes) => return nodes.iter().for_each(|it| collect(it, scope, rows)),
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
        collect(below, &inner, rows);
    }
}

fn contract(
    name: &str,
    told: &Told,
    definitions: Vec<Definition>,
    sources: &[Source],
) -> Result<Contract, String> {
    let code = crate::cases::parse_hex(&told.code, name).map_err(|error| error.to_string())?;
    let source = |span: &Span| sources.get(usize::try_from(span.source).ok()?);
    let functions = definitions.iter().map(|it| Function {
        label: label(it, source(&it.span)),
    });
    let mut lines = Vec::<String>::new();
    let mut numbered = HashMap::new();
    let mut line = |span: &Span| {
        let source = source(span)?;
        let line = source.line(span.start)?;
        Some(*numbered.entry((span.source, line)).or_insert_with(|| {
            lines.push(source.labelled(line).unwrap_or_default());
            lines.len() - 1
        }))
    };
    // Equal spans stand for hundreds of opcodes.
    let mut found = HashMap::new();
    let mut places = HashMap::new();
    for (pc, (span, jump)) in offsets(&code).zip(spans(&told.source_map)) {
        let key = (span.start, span.length, span.source);
        let (function, line) = *found
            .entry(key)
            .or_insert_with(|| (innermost(&definitions, &span), line(&span)));
        places.insert(
            pc,
            Place {
                jump,
                function,
                line,
            },
        );
    }
    let entry_points = told.entry_points.iter().map(|(pc, name, id, parameters)| {
        let same = |it: &Definition| match id {
            Some(_) => it.id == *id,
            None => it.id.is_none() && it.name == *name,
        };
        let entry = EntryPoint {
            name: name.clone(),
            function: definitions.iter().position(same),
            parameters: *parameters,
        };
        (*pc, entry)
    });
    let selectors = told.method_identifiers.iter().filter_map(|(name, hex)| {
        let selector = u32::from_str_radix(hex, 16).ok()?;
        Some((selector.to_be_bytes(), name.clone()))
    });
    Ok(Contract {
        name: name.to_owned(),
        immutables: told.immutables.clone(),
        places,
        entry_points: entry_points.collect(),
        selectors: selectors.collect(),
        functions: functions.collect(),
        lines,
        code: code.into(),
    })
}

/// `ERC20._transfer (ERC20.sol:62)`; the compiler's own functions have no line.
fn label(definition: &Definition, source: Option<&Source>) -> String {
    let Definition { name, span, .. } = definition;
    let kind = if definition.is_modifier {
        "modifier "
    } else {
        ""
    };
    let place = source.and_then(|source| Some((&source.name, source.line(span.start)?)));
    match place {
        Some((file, line)) => format!("{kind}{name} ({file}:{line})"),
        None => format!("{kind}{name}"),
    }
}

fn innermost(definitions: &[Definition], span: &Span) -> Option<usize> {
    let around = definitions.iter().enumerate();
    let around = around.filter(|(_, definition)| definition.span.holds(span));
    around
        .min_by_key(|(_, definition)| definition.span.length)
        .map(|(index, _)| index)
}

/// The compressed map, an entry an opcode: `start:length:source:jump:depth`, an empty field as in the
/// entry before.
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
