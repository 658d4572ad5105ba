/** Runs a story that is no test: `node browser/run.mjs screenshots`, `node browser/run.mjs measure --minutes 10`. */
import { runnerImport } from 'vite';

const [story, ...args] = process.argv.slice(2);
const path = new URL(`./${story}.ts`, import.meta.url).pathname;
const { module } = await runnerImport(path, { configFile: false, logLevel: 'error' });
await module.run(args);
process.exit(0);
