/** The pages that nobody sees first, in one file: what they share is packed once, and fetched with them. */
export { Reports } from './Reports';
export { Stream } from './Stream';
