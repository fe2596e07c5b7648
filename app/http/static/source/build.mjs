// Bundles the console into ../console.js and ../console.css, and gathers the licences of what went into it.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const out = join(import.meta.dirname, "..");

const { metafile } = await build({
  entryPoints: [join(import.meta.dirname, "console.jsx")],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  charset: "utf8",
  legalComments: "none",
  loader: { ".ttf": "dataurl", ".woff": "dataurl", ".woff2": "dataurl" },
  define: { "process.env.NODE_ENV": '"production"' },
  metafile: true,
});

const folders = new Set();
for (const output of Object.values(metafile.outputs)) {
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    if (bytesInOutput > 0 && input.includes("node_modules/")) folders.add(packageFolder(input));
  }
}

function packageFolder(input) {
  let folder = dirname(join(process.cwd(), input));
  while (!existsSync(join(folder, "package.json")) || !JSON.parse(readFileSync(join(folder, "package.json"))).version) folder = dirname(folder);
  return folder;
}

const notices = [...folders].map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json")));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : "(the package holds no licence file)";
  return { name, version, license, text };
});
notices.sort((a, b) => a.name.localeCompare(b.name));
writeFileSync(
  join(out, "LICENSES.txt"),
  "Packages bundled into console.js and console.css.\n" +
    notices.map(({ name, version, license, text }) => `\n${"=".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`).join(""),
);
