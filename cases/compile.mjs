// Compiles every Solidity case to the runtime code and the source map that are committed beside it.
//
//   node compile.mjs           writes code.hex and source-map.json of each case
//   node compile.mjs --check   compiles and compares with the committed files; exit 1 on a difference
//
// Cases in assembly belong to the assembler of the `evmscope` binary, not to this file.

import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const ROOT = dirname(fileURLToPath(import.meta.url));

// As the well-known builds of these benchmarks: the legacy code generator and 200 runs.
// Without the CBOR trailer the code depends on nothing but the meaning of the source.
const SETTINGS = {
  evmVersion: "osaka",
  viaIR: false,
  optimizer: { enabled: true, runs: 200 },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};
const OUTPUTS = [
  "evm.deployedBytecode.object",
  "evm.deployedBytecode.sourceMap",
  "evm.deployedBytecode.functionDebugData",
  "evm.deployedBytecode.generatedSources",
  "evm.deployedBytecode.immutableReferences",
  "evm.methodIdentifiers",
];

// A reminder that transient storage outlives the call, which is what the storage case is about.
const ACCEPTED_WARNINGS = ["2394"];

/** Names of the cases whose case.toml states a Solidity source, with the path of that source. */
function solidityCases() {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(ROOT, entry.name, "case.toml")))
    .map(({ name }) => {
      const toml = readFileSync(join(ROOT, name, "case.toml"), "utf8");
      const source = toml.match(/^source\s*=\s*"(.+\.sol)"/m)?.[1];
      return { name, source: source && `${name}/${source}` };
    })
    .filter(({ source }) => source)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Files that a case must hold, by name: the contract named like its source file is the case. */
function compile({ name, source }) {
  const input = {
    language: "Solidity",
    sources: { [source]: { content: read(source) } },
    settings: { ...SETTINGS, outputSelection: { "*": { "*": OUTPUTS, "": ["ast"] } } },
  };
  const resolve = (path) => (existsSync(join(ROOT, path)) ? { contents: read(path) } : { error: "no such file" });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolve }));

  const complaints = (output.errors ?? []).filter((each) => !ACCEPTED_WARNINGS.includes(each.errorCode));
  if (complaints.length > 0) fail(`${name}: ${complaints.map((each) => each.formattedMessage).join("\n")}`);
  const main = basename(source, ".sol");
  if (!output.contracts[source][main]) fail(`${name}: ${source} has no contract of the same name`);
  const contracts = Object.values(output.contracts)
    .flatMap(Object.entries)
    .filter(([, { evm }]) => evm.deployedBytecode.object !== "")
    .sort(([a], [b]) => (b === main) - (a === main) || (a < b ? -1 : 1));
  const unlinked = contracts.find(([, { evm }]) => evm.deployedBytecode.object.includes("__"));
  if (unlinked) fail(`${name}: the code of ${unlinked[0]} refers to an unlinked library`);
  const sources = Object.entries(output.sources).sort(([, a], [, b]) => a.id - b.id);
  return {
    "code.hex": `${output.contracts[source][main].evm.deployedBytecode.object}\n`,
    "source-map.json": onePropertyALine({
      compiler: solc.version(),
      sources: sources.map(([path]) => path),
      functions: sources.flatMap(([, { ast }]) => functionsOf(ast)),
      ...Object.fromEntries(contracts.map(([contract, { evm }]) => [`contract ${contract}`, mapOf(evm)])),
    }),
  };
}

/** What is known of a contract's deployed code. Only the compiler's own Yul has functions of its own here. */
function mapOf({ deployedBytecode, methodIdentifiers }) {
  const { object, sourceMap, functionDebugData, generatedSources, immutableReferences } = deployedBytecode;
  return {
    code: object,
    // Zeros in `code`, written by the constructor: where and how many bytes.
    immutables: Object.values(immutableReferences ?? {}).flatMap((places) => places.map((it) => [it.start, it.length])),
    sourceMap,
    entryPoints: Object.entries(functionDebugData)
      .filter(([, it]) => it.entryPoint !== null)
      .map(([name, it]) => [it.entryPoint, name.replace(/^@(.*)_\d+$/, "$1"), it.id, it.parameterSlots]),
    methodIdentifiers,
    generated: generatedSources.flatMap(({ ast }) => functionsOf(ast)),
  };
}

/** `[id, "start:length:source", name, kind]` of every function and modifier below a node, in order. */
function functionsOf(node, scope = "") {
  if (Array.isArray(node)) return node.flatMap((each) => functionsOf(each, scope));
  if (node === null || typeof node !== "object") return [];
  const inner = node.nodeType === "ContractDefinition" ? `${node.name}.` : scope;
  const below = Object.values(node).flatMap((each) => functionsOf(each, inner));
  switch (node.nodeType) {
    case "FunctionDefinition":
      return [[node.id, node.src, scope + (node.name || node.kind), "function"], ...below];
    case "ModifierDefinition":
      return [[node.id, node.src, scope + node.name, "modifier"], ...below];
    case "YulFunctionDefinition":
      return [[null, node.src, node.name, "function"], ...below];
    default:
      return below;
  }
}

function onePropertyALine(object) {
  const lines = Object.entries(object).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

function read(path) {
  return readFileSync(join(ROOT, path), "utf8");
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** Names of the committed files that are missing or not what the compiler gives. */
function differing(name, files) {
  return Object.keys(files).filter((file) => {
    const path = join(ROOT, name, file);
    return !existsSync(path) || readFileSync(path, "utf8") !== files[file];
  });
}

function check(cases) {
  let differences = 0;
  for (const each of cases) {
    for (const file of differing(each.name, compile(each))) {
      console.error(`error: ${each.name}/${file} differs from what ${each.source} compiles to; run \`node compile.mjs\``);
      differences += 1;
    }
  }
  if (differences > 0) process.exit(1);
  console.log(`${cases.length} cases compile to their committed code`);
}

function write(cases) {
  for (const each of cases) {
    const files = compile(each);
    const changed = differing(each.name, files);
    for (const file of changed) writeFileSync(join(ROOT, each.name, file), files[file]);
    console.log(`${each.name}: ${changed.length > 0 ? `wrote ${changed.join(", ")}` : "unchanged"}`);
  }
}

const [mode, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (mode !== undefined && mode !== "--check")) {
  console.error("usage: node compile.mjs [--check]");
  process.exit(2);
}
(mode === "--check" ? check : write)(solidityCases());
