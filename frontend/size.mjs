/** Fails a build whose scripts have grown past their limit, all chunks together, compressed. */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 150 * 1024;

const assets = new URL('./dist/assets/', import.meta.url);
const sizes = readdirSync(assets)
  .filter((name) => name.endsWith('.js'))
  .map((name) => gzipSync(readFileSync(new URL(name, assets)), { level: 9 }).length);
const total = sizes.reduce((sum, size) => sum + size, 0);
const told = `${(total / 1024).toFixed(1)} KiB of JavaScript, gzipped; the limit is ${LIMIT_BYTES / 1024}`;
if (total > LIMIT_BYTES) throw new Error(`the dashboard is too large: ${told}`);
process.stdout.write(`${told}\n`);
