/** Big bodies as files. */
export { type FileStore, type FileStoreOptions, fileStore, type SweepOptions, type SweepReport } from './file-store.ts'
