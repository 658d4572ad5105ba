/** Packs scripts and styles as they are sent; fails a build whose scripts have grown past their limit, all together. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 150 * 1024;

const assets = new URL('./dist/assets/', import.meta.url);
let scripts = 0;
for (const name of readdirSync(assets)) {
  if (!/\.(js|css)$/.test(name)) continue;
  const plain = new URL(name, assets);
  const packed = gzipSync(readFileSync(plain), { level: 9 });
  if (name.endsWith('.js')) scripts += packed.length;
  writeFileSync(new URL(`${name}.gz`, assets), packed);
  rmSync(plain);
}
const told = `${(scripts / 1024).toFixed(1)} KiB of JavaScript, gzipped; the limit is ${LIMIT_BYTES / 1024}`;
if (scripts > LIMIT_BYTES) throw new Error(`the dashboard is too large: ${told}`);
process.stdout.write(`${told}\n`);
