// Builds one minified file, as Lambda's documentation recommends. The Runtime Interface Client is
// excluded, because it is part of Lambda's runtime.

import { chmod, copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

await mkdir("target/package", { recursive: true });
await build({
  bundle: true,
  entryPoints: ["index.js"],
  format: "esm",
  mainFields: ["module", "main"],
  // Some dependencies load Node's own modules with `require`.
  banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  minify: true,
  outfile: "target/package/index.mjs",
  platform: "node",
  target: "node20",
});
await copyFile("bootstrap", "target/package/bootstrap");
await chmod("target/package/bootstrap", 0o755);
