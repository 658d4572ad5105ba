/** Fails a build whose scripts have grown past their limit, all chunks together, compressed. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 150 * 1024;

const dist = new URL('./dist/', import.meta.url);
const assets = new URL('assets/', dist);
const sizes = readdirSync(assets)
  .filter((name) => name.endsWith('.js'))
  .map((name) => gzipSync(readFileSync(new URL(name, assets)), { level: 9 }).length);
const total = sizes.reduce((sum, size) => sum + size, 0);
const told = `${(total / 1024).toFixed(1)} KiB of JavaScript, gzipped; the limit is ${LIMIT_BYTES / 1024}`;
if (total > LIMIT_BYTES) {
  // Nobody is to take it for a good one later.
  rmSync(dist, { recursive: true });
  throw new Error(`the dashboard is too large: ${told}`);
}
process.stdout.write(`${told}\n`);
