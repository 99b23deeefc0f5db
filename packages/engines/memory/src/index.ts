/** The memory engine: for tests, and as the simplest complete engine there is to read. */

export { type MemoryOptions, memory } from './engine.ts'
export { type MemoryStore, memoryStore } from './store.ts'
