// Reads Mermaid texts as a JSON list from standard input, and writes for each "" or what Mermaid's own parser says is wrong.
// The only argument is a node_modules folder that holds mermaid and jsdom.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const require = createRequire(join(modules, "x.js"));
const { JSDOM } = require("jsdom");
const dom = new JSDOM("<!doctype html><body></body>");
globalThis.window = dom.window;
globalThis.document = dom.window.document;
const mermaid = (await import(pathToFileURL(join(modules, "mermaid/dist/mermaid.core.mjs")))).default;

const problems = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    await mermaid.parse(text);
    problems.push("");
  } catch (error) {
    problems.push(String(error.message));
  }
}
process.stdout.write(JSON.stringify(problems));
